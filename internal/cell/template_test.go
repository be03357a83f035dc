package cell

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestTemplate(t *testing.T) {
	src := Template("x")
	got, diags := Parse("x.hcl", src)
	if diags != nil {
		t.Fatal(diags)
	}
	want, _ := Parse("x.hcl", []byte(`cell "x" {}`))
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Cell{}, "Sources")); d != "" {
		t.Error("the template says more than a name:", d)
	}
}

// TestTemplateUncommented removes the comment signs: what the template offers
// has to be right, all names have to be there, and one that misspells an
// attribute in a comment is worse than none.
func TestTemplateUncommented(t *testing.T) {
	src := regexp.MustCompile(`(?m)^  #(\S|  )`).ReplaceAll(Template("x"), []byte("  $1"))
	_, diags := Parse("/x.hcl", src)
	var got []string
	for _, d := range diags {
		got = append(got, d.Summary)
	}
	// Things that exclude each other, and are there to be chosen from.
	want := []string{
		`invalid boot: cannot be combined with the kernel block on line 17`,
		`invalid uplink: needs create = true, as an existing bridge is not changed`,
		`invalid offset: cannot be combined with start`,
		`invalid ip4: the jail has no network`,
		`invalid ip6: the jail has no network`,
		`invalid second seed block: already defined on line 66`,
		`invalid second jail block: already defined on line 148`,
	}
	sort := cmpopts.SortSlices(func(a, b string) bool { return a < b })
	if d := cmp.Diff(want, got, sort); d != "" {
		t.Error(d)
	}
	eachName(cellBlock.shape("cell", "a name"), func(name string) {
		if !strings.Contains(string(src), "  "+name+" ") {
			t.Errorf("the template lacks %s", name)
		}
	})
}

// eachName calls f with every attribute and block within s.
func eachName(s shape, f func(string)) {
	for _, a := range s.attrs {
		f(a)
	}
	for _, b := range s.blocks {
		f(b.name)
		eachName(b, f)
	}
}
