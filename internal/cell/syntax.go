package cell

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// redefined is HCL's word for an attribute that is there twice. It is a mistake
// in what the file says and not in how: the rest of the file can be read.
const redefined = "Attribute redefined"

// syntax reads the file as HCL. If it is not HCL, the mistakes of form are
// reported and nothing is returned: what a parser makes of the rest after such
// a mistake would lead to reports of faults that are none.
func (r *reader) syntax() *hclsyntax.Body {
	if len(r.src) > maxFile {
		r.add(hcl.Range{Start: hcl.InitialPos, End: hcl.InitialPos}, "cannot read the file: it is larger than 1 MiB, which no cell file is", "")
		return nil
	}
	if rng, deep := tooDeep(r.src, r.file); deep {
		r.add(rng, "cannot read the file: its brackets are nested too deep", "")
		return nil
	}
	file, diags := hclsyntax.ParseConfig(r.src, r.file, hcl.InitialPos)
	good := true
	for _, d := range diags {
		r.syntaxError(d)
		good = good && d.Summary == redefined
	}
	if !good || file == nil {
		return nil
	}
	body, _ := file.Body.(*hclsyntax.Body)
	return body
}

// tooDeep finds input that would lead the parser, which calls itself for each
// level, to use up all stack there is. The tokens of the file tell without a
// stack. Signs and questions nest as well, though nothing closes them.
func tooDeep(src []byte, file string) (hcl.Range, bool) {
	const most = 200
	tokens, _ := hclsyntax.LexConfig(src, file, hcl.InitialPos)
	depth, signs := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCHeredoc:
			depth--
		case hclsyntax.TokenMinus, hclsyntax.TokenBang, hclsyntax.TokenQuestion:
			signs++
		}
		if depth > most || signs > 50*most {
			return t.Range, true
		}
	}
	return hcl.Range{}, false
}

// syntaxError reports what HCL found, in the words of this program where it has
// some.
func (r *reader) syntaxError(d *hcl.Diagnostic) {
	rng := hcl.Range{Start: hcl.InitialPos, End: hcl.InitialPos}
	if d.Subject != nil {
		rng = *d.Subject
	}
	summary, hint := r.explain(d, rng)
	r.add(rng, summary, hint)
}
