package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// longest is how many characters a message may have in the source: more is not read.
const longest = 100

// riddles are turns of phrase that make a reader guess what the rule is.
var riddles = regexp.MustCompile(`\bit is none of\b|\bthat is it\b`)

// speaks says whether a call makes an error: those of fault and of the standard library, and what a
// function builds on them under one of the names that are used for that here.
func speaks(pkg string, call *ast.CallExpr) bool {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		x, ok := f.X.(*ast.Ident)
		if !ok {
			return false
		}
		name := x.Name + "." + f.Sel.Name
		return x.Name == "fault" || name == "errors.New" || name == "fmt.Errorf" || f.Sel.Name == "refuse"
	case *ast.Ident:
		switch f.Name {
		case "bad", "wrong", "refuse", "refused", "illegal":
			return true
		}
		return pkg == "internal/fault" && ast.IsExported(f.Name)
	}
	return false
}

// messages visits each string of each call that makes an error, pieces of one that is put together as well.
func messages(t *testing.T, visit func(at token.Position, text string)) {
	for _, f := range goFiles(t) {
		if f.test() {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, f.path, f.src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !speaks(f.pkg, call) {
				return true
			}
			for _, arg := range call.Args {
				ast.Inspect(arg, func(n ast.Node) bool {
					if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
						text, err := strconv.Unquote(l.Value)
						if err != nil {
							t.Fatal(err)
						}
						visit(set.Position(l.Pos()), text)
					}
					return true
				})
			}
			return true
		})
	}
}

// TestMessages: what an error says is short and states the rule.
func TestMessages(t *testing.T) {
	for text, want := range map[string]bool{"it is none of a and b": true, "x: that is it": true, "that is its work": false} {
		if riddles.MatchString(text) != want {
			t.Fatalf("%q", text)
		}
	}
	seen := 0
	messages(t, func(at token.Position, text string) {
		seen++
		if n := utf8.RuneCountInString(text); n > longest {
			t.Errorf("%s: %d characters in one message, and %d are the most: %s", at, n, longest, text)
		}
		if r := riddles.FindString(strings.Join(strings.Fields(text), " ")); r != "" {
			t.Errorf("%s: state the rule instead of %q: %s", at, r, text)
		}
	})
	if seen < 800 {
		t.Fatalf("only %d messages were found", seen)
	}
}
