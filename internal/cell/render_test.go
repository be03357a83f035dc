package cell

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the .want files anew")

// TestRender compares what is printed about each testdata/NAME.hcl with
// testdata/NAME.want.
func TestRender(t *testing.T) {
	files, err := filepath.Glob("testdata/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, diags := Parse(filepath.Base(file), src)
			var b strings.Builder
			if err := diags.Render(&b, src); err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".hcl") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), b.String()); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestRenderForeign is about mistakes that Parse did not find: a place without
// an end, none at all, or a line that the text does not have.
func TestRenderForeign(t *testing.T) {
	src := []byte("cell \"x\" {\n  cpus = 64\n}")
	diags := Diagnostics{
		{Pos: Pos{"x.hcl", 2, 10}, Summary: "cannot have 64 cpus: the host has 4"},
		{Summary: "cannot start"},
		{Pos: Pos{"x\x1b.hcl", 99, 1}, Summary: "cannot be"},
	}
	want := "skep: error: x.hcl:2:10: cannot have 64 cpus: the host has 4\n" +
		"    2 |   cpus = 64\n      |          ^\n" +
		"skep: error: cannot start\nskep: error: x\\x1b.hcl:99:1: cannot be\n"
	var b strings.Builder
	diags.Render(&b, src)
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

func TestRenderMany(t *testing.T) {
	src := "cell \"x\" {\n" + strings.Repeat("zzzz {}\n", 1000) + "}\n"
	_, diags := Parse("x", []byte(src))
	var b strings.Builder
	diags.Render(&b, []byte(src))
	if len(diags) != 1000 || !strings.HasSuffix(b.String(), "cannot show the 950 mistakes that follow\n") {
		t.Error(len(diags), b.String())
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestRenderFails(t *testing.T) {
	if err := (Diagnostics{{Summary: "x"}}).Render(failing{}, nil); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func TestErr(t *testing.T) {
	_, diags := Parse("x", []byte(`cell "x" {}`))
	if err := diags.Err(); err != nil {
		t.Error("a good file has an error:", err)
	}
	_, diags = Parse("x", []byte("cpus = 1\nmemory = 2\nboot = 3"))
	err := diags.Err()
	if want := `x:1:1: invalid cpus: must be inside a cell block (and 2 more mistakes)`; err.Error() != want {
		t.Error(err)
	}
	var d Diagnostic
	if !errors.As(err, &d) || d.Pos.Line != 1 {
		t.Error("the first mistake cannot be reached")
	}
}
