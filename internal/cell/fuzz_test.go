package cell_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	. "skep/internal/cell"
	"skep/internal/cellfile"
)

// FuzzParse: whatever the file holds, the answer is a cell or at least one
// mistake; each mistake has a place within the file and can be shown without a
// byte that a terminal would obey; a cell survives writing, and formatting
// changes nothing but the layout.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.hcl")
	examples, _ := filepath.Glob("../../examples/*.hcl")
	for _, name := range append(files, examples...) {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add(Template("x"))
	for _, s := range []string{"cell", "cell \"x\" {\n\t", "cell \"x\" { cpus = \"\x1b\" }", "a = <<X\nX", "cell \"\xff\" {}", "cell \"x\" {\n memory = 1\u2028\n}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c, diags := Parse("/cells/f.hcl", src)
		if (c == nil) == (len(diags) == 0) {
			t.Fatalf("a cell and mistakes, or neither: %v %v", c, diags)
		}
		lines := bytes.Count(src, []byte("\n")) + 1
		for _, d := range diags {
			if d.Pos.Line < 1 || d.Pos.Line > lines || d.Pos.Column < 1 || d.Summary == "" {
				t.Fatalf("%+v in a file of %d lines", d, lines)
			}
		}
		var b strings.Builder
		diags.Render(&b, src)
		for _, r := range b.String() {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
				t.Fatalf("%q is printed in %q", r, b.String())
			}
		}
		if c == nil {
			return
		}
		formatted, diags := cellfile.Format("/cells/f.hcl", src)
		if diags != nil {
			t.Fatal("a good file cannot be formatted:", diags)
		}
		for _, again := range [][]byte{formatted, cellfile.Encode(c)} {
			c2, diags := Parse("/cells/f.hcl", again)
			if diags != nil {
				t.Fatalf("%v\n%s", diags, again)
			}
			if d := cmp.Diff(c, c2, cmpopts.IgnoreFields(Cell{}, "Sources"), cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("%s\n%s", d, again)
			}
		}
	})
}
