package attack

import (
	"os"
	"slices"
	"strings"
	"testing"

	"skep/internal/drill/report"
	"skep/internal/layer"
)

// TestFreeBSDTable: rows are unique and whole, name layers that exist, and say why no second one
// stops them where that is so; each layer stops something.
func TestFreeBSDTable(t *testing.T) {
	all := WorkerAttempts()
	if len(All()) < 60 || len(ProtocolAttempts()) < 20 {
		t.Errorf("only %d attempts", len(all))
	}
	seen, used := map[string]bool{}, map[layer.ID]bool{}
	for _, a := range all {
		if seen[a.ID] {
			t.Errorf("%s is there twice", a.ID)
		}
		seen[a.ID] = true
		if a.ID == "" || a.Tries == "" || a.Group == "" || a.Want == "" || a.Do == nil {
			t.Errorf("%s is not whole", a.ID)
		}
		for _, id := range a.Layers() {
			used[id] = true
			if !slices.ContainsFunc(report.Layers, func(l report.Layer) bool { return l.ID == id }) {
				t.Errorf("%s: there is no layer %s", a.ID, id)
			}
		}
		if len(a.Layers()) < 2 && a.Single == "" && a.NoControl == "" {
			t.Errorf("%s: stopped by %q alone, and it does not say why no second layer does", a.ID, a.By)
		}
		if strings.Contains(a.Want, "ECAPMODE") && !slices.Contains(a.Layers(), report.Capsicum) && a.NoControl == "" &&
			len(a.Layers()) > 1 && !slices.Contains(a.Layers(), report.NoSuser) {
			t.Errorf("%s expects ECAPMODE and does not name capability mode", a.ID)
		}
	}
	for _, l := range report.Layers {
		if !used[l.ID] {
			t.Errorf("%s stops nothing", l.ID)
		}
	}
}

// docs/security.md has the table as it is; `skep drill --markdown` on FreeBSD writes it.
func TestFreeBSDTableInDocs(t *testing.T) {
	text, err := os.ReadFile("../../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "<!-- begin: skep drill --markdown on FreeBSD -->\n")
	table, _, ended := strings.Cut(rest, "<!-- end: skep drill --markdown on FreeBSD -->\n")
	if !found || !ended {
		t.Fatal("the table is not marked")
	}
	if table != Markdown() {
		t.Error("docs/security.md has another table")
	}
}
