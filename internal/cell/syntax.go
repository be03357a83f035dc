package cell

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// redefined is HCL's word for an attribute that is there twice. It is a mistake
// in what the file says and not in how: the rest of the file can be read.
const redefined = "Attribute redefined"

// syntax reads the file as HCL. A parser's idea of what follows a mistake of form
// leads to reports of faults that are none, so the line of such a mistake is
// blanked and the file read again: what is wrong in other lines is found in the
// same pass. Where that is not possible, nothing is returned.
func (r *reader) syntax() *hclsyntax.Body {
	if len(r.src) > maxFile {
		r.whole("larger than 1 MiB")
		return nil
	}
	if why := bounded(r.src); why != "" {
		r.whole(why)
		return nil
	}
	src := bytes.Clone(r.src)
	for range maxShown {
		file, diags := hclsyntax.ParseConfig(src, r.file, hcl.InitialPos)
		bad := form(diags)
		if len(bad) == 0 {
			for _, d := range diags {
				r.syntaxError(d)
			}
			body, _ := file.Body.(*hclsyntax.Body)
			return body
		}
		r.partial = true
		if !blank(src, *bad[0].Subject) {
			for _, d := range bad {
				r.syntaxError(d)
			}
			return nil
		}
		r.syntaxError(bad[0])
	}
	return nil
}

// form are the mistakes of form, in the order of the file.
func form(diags hcl.Diagnostics) hcl.Diagnostics {
	var bad hcl.Diagnostics
	for _, d := range diags {
		if d.Summary == redefined {
			continue
		}
		if d.Subject == nil {
			d.Subject = &hcl.Range{Start: hcl.InitialPos, End: hcl.InitialPos}
		}
		bad = append(bad, d)
	}
	slices.SortStableFunc(bad, func(a, b *hcl.Diagnostic) int {
		return cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte)
	})
	return bad
}

// blank puts spaces in place of the line that a mistake begins on. It does not
// if brackets open or close there, which would move the mistake elsewhere.
func blank(src []byte, rng hcl.Range) bool {
	at := min(rng.Start.Byte, len(src))
	start := bytes.LastIndexByte(src[:at], '\n') + 1
	end := len(src)
	if i := bytes.IndexByte(src[at:], '\n'); i >= 0 {
		end = at + i
	}
	line := src[start:end]
	for _, pair := range []string{"{}", "[]", "()"} {
		if bytes.Count(line, []byte(pair[:1])) != bytes.Count(line, []byte(pair[1:])) {
			return false
		}
	}
	if len(bytes.TrimSpace(line)) == 0 || bytes.Contains(line, []byte("<<")) {
		return false
	}
	for i := range line {
		line[i] = ' '
	}
	return true
}

// whole reports a file that is not looked at any further.
func (r *reader) whole(why string) {
	r.add(hcl.Range{Start: hcl.InitialPos, End: hcl.InitialPos}, "cannot read the file: "+why, "")
}

// The parser calls itself for each level of brackets and for some operators, and
// a process cannot recover from a stack that is full. These bounds, which no
// honest file comes near, are kept before the parser sees anything.
const (
	maxDepth  = 200
	maxTokens = 20_000
)

// bounded tells why the file is too much for the parser, or "". Taking a file
// apart into tokens needs no stack.
func bounded(src []byte) string {
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	depth, count := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenComment, hclsyntax.TokenNewline:
			continue
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCHeredoc:
			depth--
		}
		switch count++; {
		case depth > maxDepth:
			return "brackets are nested too deeply"
		case count > maxTokens:
			return "too long for a cell file"
		}
	}
	return ""
}

// syntaxError reports what HCL found, in the words of this program where it has
// some.
func (r *reader) syntaxError(d *hcl.Diagnostic) {
	summary, hint := r.explain(d, *d.Subject)
	r.add(*d.Subject, summary, hint)
}
