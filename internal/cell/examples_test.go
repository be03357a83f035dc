package cell_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	. "skep/internal/cell"
	"skep/internal/cellfile"
)

// TestExamples: every example is good, formatted, named after its file, and the
// same wherever the repository is, so that its plan is too.
func TestExamples(t *testing.T) {
	files, _ := filepath.Glob("../../examples/*.hcl")
	if len(files) < 6 {
		t.Fatal("examples are missing:", files)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := bytes.Cut(src, []byte("\n")); !bytes.HasPrefix(first, []byte("# Needs: ")) {
			t.Errorf("%s does not begin with what it needs", file)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".hcl")
		c, diags := Parse("/a/"+name+".hcl", src)
		if diags != nil {
			var b strings.Builder
			diags.Render(&b, src)
			t.Error(b.String())
			continue
		}
		if c.Name != name {
			t.Errorf("%s holds the cell %q", file, c.Name)
		}
		if formatted, _ := cellfile.Format(file, src); !bytes.Equal(formatted, src) {
			t.Errorf("%s is not formatted: %s", file, cmp.Diff(string(src), string(formatted)))
		}
		moved, _ := Parse("/b/c/"+name+".hcl", src)
		if d := cmp.Diff(c, moved, cmpopts.IgnoreFields(Cell{}, "File", "Sources")); d != "" {
			t.Errorf("%s depends on where it is: %s", file, d)
		}
	}
}
