package cell

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// literal is the value of an expression that is a plain value: text, a number,
// true or false. A cell file computes nothing, so that what a cell is can be
// read off its file.
func (r *reader) literal(name string, e hclsyntax.Expression) (cty.Value, bool) {
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return r.literal(name, e.Expression)
	case *hclsyntax.LiteralValueExpr:
		if e.Val.IsNull() {
			r.value(e.Range(), name, wrong("null is not allowed").but("leave out %s to get its default", name))
			return cty.NilVal, false
		}
		return e.Val, true
	case *hclsyntax.TemplateExpr:
		for _, part := range e.Parts {
			if _, plain := part.(*hclsyntax.LiteralValueExpr); !plain {
				r.value(e.Range(), name, wrong("variables and expressions are not supported").
					but("write $${ for the characters ${ themselves, and %%%%{ for %%{"))
				return cty.NilVal, false
			}
		}
		v, diags := e.Value(nil)
		return v, !diags.HasErrors()
	case *hclsyntax.UnaryOpExpr:
		// -1 is an operation on 1 to HCL and a number to everyone else.
		if lit, ok := e.Val.(*hclsyntax.LiteralValueExpr); ok && e.Op == hclsyntax.OpNegate && lit.Val.Type() == cty.Number {
			v, diags := e.Value(nil)
			return v, !diags.HasErrors()
		}
	case *hclsyntax.TupleConsExpr:
		r.value(e.Range(), name, wrong("must be a single value, not a list"))
		return cty.NilVal, false
	case *hclsyntax.ObjectConsExpr:
		r.value(e.Range(), name, wrong("must be a single value, not an object"))
		return cty.NilVal, false
	}
	r.value(e.Range(), name, notPlain(r, e))
	return cty.NilVal, false
}

// notPlain says what an expression is that a cell file has no use for.
func notPlain(r *reader, e hclsyntax.Expression) *mistake {
	switch e := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		// Most likely a word whose quotes were forgotten.
		return wrong("text must be in quotes").but("did you mean %q?", r.text(e.Range()))
	case *hclsyntax.FunctionCallExpr:
		return wrong("functions are not supported")
	case *hclsyntax.TemplateWrapExpr:
		return wrong("variables and expressions are not supported")
	}
	return wrong("expressions are not supported").but("write the value itself")
}
