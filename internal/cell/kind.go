package cell

import (
	"math/big"
	"strconv"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// kind is a kind of value: how it is read from an expression, and written.
type kind[V any] struct {
	read  func(r *reader, name string, e hclsyntax.Expression) (V, bool)
	write func(V) cty.Value
}

// scalar is a kind that is made from one plain value.
func scalar[V any](read func(cty.Value) (V, *mistake), write func(V) cty.Value) kind[V] {
	return kind[V]{
		read: func(r *reader, name string, e hclsyntax.Expression) (V, bool) {
			var none V
			lit, ok := r.literal(name, e)
			if !ok {
				return none, false
			}
			v, m := read(lit)
			if m != nil {
				r.value(e.Range(), name, m)
				return none, false
			}
			return v, true
		},
		write: write,
	}
}

// boolean is true or false.
var boolean = scalar(
	func(v cty.Value) (bool, *mistake) {
		if v.Type() == cty.Bool {
			return v.True(), nil
		}
		m := mustBe("true or false")
		if v.Type() == cty.String {
			if s := v.AsString(); s == "true" || s == "false" {
				m.but("did you mean %s, without quotes?", s)
			}
		}
		return false, m
	},
	cty.BoolVal,
)

// count is a whole number from low to high. why is the reason for high.
func count(low, high int, why string) kind[int] {
	return scalar(
		func(v cty.Value) (int, *mistake) {
			if v.Type() != cty.Number {
				m := mustBe("a number")
				if n, err := strconv.Atoi(stringOf(v)); err == nil {
					m.but("did you mean %d, without quotes?", n)
				}
				return 0, m
			}
			f := v.AsBigFloat()
			switch {
			case !f.IsInt():
				return 0, mustBe("a whole number")
			case f.Cmp(big.NewFloat(float64(low))) < 0:
				return 0, wrong("must be at least %d", low)
			case f.Cmp(big.NewFloat(float64(high))) > 0:
				m := wrong("must be at most %d", high)
				m.hint = why
				return 0, m
			}
			n, _ := f.Int64()
			return int(n), nil
		},
		func(n int) cty.Value { return cty.NumberIntVal(int64(n)) },
	)
}

// text is text that passes the rules, in their order.
func text(rules ...func(string) *mistake) kind[string] {
	return scalar(
		func(v cty.Value) (string, *mistake) {
			s, m := plainText(v)
			for i := 0; m == nil && i < len(rules); i++ {
				m = rules[i](s)
			}
			return s, m
		},
		cty.StringVal,
	)
}

// choice is one of a few words.
func choice[V ~string](words ...V) kind[V] {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return scalar(
		func(v cty.Value) (V, *mistake) {
			s, m := plainText(v)
			if m != nil {
				return "", m
			}
			for _, w := range words {
				if s == string(w) {
					return w, nil
				}
			}
			m = wrong("must be %s", oneOf(list))
			if c := closest(s, list); c != "" {
				m.but("did you mean %q?", c)
			}
			return "", m
		},
		func(v V) cty.Value { return cty.StringVal(string(v)) },
	)
}

// list is a list of such values, each of which may be there once if unique.
func list(elem kind[string], unique bool) kind[[]string] {
	return kind[[]string]{
		read: func(r *reader, name string, e hclsyntax.Expression) ([]string, bool) {
			tuple, ok := e.(*hclsyntax.TupleConsExpr)
			if !ok && r.text(e.Range()) == "null" {
				r.value(e.Range(), name, mustBe("a list").but("leave it out"))
				return nil, false
			}
			if !ok {
				r.value(e.Range(), name, mustBe("a list").but("did you mean [%s]?", r.text(e.Range())))
				return nil, false
			}
			var values []string
			seen, good := map[string]bool{}, true
			for _, x := range tuple.Exprs {
				v, ok := elem.read(r, name, x)
				if ok && unique && seen[v] {
					r.value(x.Range(), name, wrong("already in the list"))
					ok = false
				}
				seen[v], good = true, good && ok
				values = append(values, v)
			}
			return values, good
		},
		write: func(values []string) cty.Value {
			if len(values) == 0 {
				return cty.ListValEmpty(cty.String)
			}
			vals := make([]cty.Value, len(values))
			for i, v := range values {
				vals[i] = cty.StringVal(v)
			}
			return cty.ListVal(vals)
		},
	}
}

// stringOf is the text that v is, or "".
func stringOf(v cty.Value) string {
	if v.Type() == cty.String {
		return v.AsString()
	}
	return ""
}
