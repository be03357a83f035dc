package cell

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const manual = "../../man/skep.hcl.5"

// TestManual compares the tables with the manual page: each block has a section
// of its own, and in it each attribute, and nothing else, is an item.
func TestManual(t *testing.T) {
	page, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	item := regexp.MustCompile(`(?m)^\.It Va (\S+)`)
	var blocks func(s shape)
	blocks = func(s shape) {
		_, section, ok := strings.Cut(string(page), "\n.Ss "+s.name+"\n.Ic "+s.name+"\n")
		if !ok {
			t.Errorf("the manual has no section for %s", s.name)
			return
		}
		section, _, _ = strings.Cut(section, "\n.Ss ")
		var items []string
		for _, m := range item.FindAllStringSubmatch(section, -1) {
			items = append(items, m[1])
		}
		for _, a := range s.attrs {
			if !slices.Contains(items, a) {
				t.Errorf("the manual lacks %s of %s", a, s.name)
			}
		}
		for _, i := range items {
			if !s.hasAttr(i) {
				t.Errorf("the manual has %s in %s, which is not there", i, s.name)
			}
		}
		for _, b := range s.blocks {
			blocks(b)
		}
	}
	blocks(cellBlock.shape("cell", "a name"))
}

// TestManualExamples: the cell files in the manual are good ones.
func TestManualExamples(t *testing.T) {
	page, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	displays := regexp.MustCompile(`(?s)\n\.Bd [^\n]*\n(.*?)\n\.Ed`).FindAllSubmatch(page, -1)
	found := 0
	for _, d := range displays {
		if strings.HasPrefix(string(d[1]), "cell ") {
			found++
			if _, diags := Parse("/x.hcl", d[1]); diags != nil {
				t.Errorf("%v\n%s", diags, d[1])
			}
		}
	}
	if found < 3 {
		t.Errorf("%d examples found", found)
	}
}

func TestManualLint(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("mandoc is not installed")
	}
	if out, err := exec.Command(mandoc, "-T", "lint", "-W", "warning", manual).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
