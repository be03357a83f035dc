package drill

import (
	"slices"
	"strings"
	"testing"

	"skep/internal/layer"
)

// TestFreeBSDTable: rows are unique and whole, name layers that exist, and say why no second one
// stops them where that is so; each layer stops something.
func TestFreeBSDTable(t *testing.T) {
	all := attempts()
	if len(all) < 60 {
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
		for _, id := range a.layers() {
			used[id] = true
			if !slices.ContainsFunc(bsdLayers, func(l bsdLayer) bool { return l.ID == id }) {
				t.Errorf("%s: there is no layer %s", a.ID, id)
			}
		}
		if len(a.layers()) < 2 && a.Single == "" && a.NoControl == "" {
			t.Errorf("%s: stopped by %q alone, and it does not say why no second layer does", a.ID, a.By)
		}
		if strings.Contains(a.Want, "ECAPMODE") && !slices.Contains(a.layers(), capsicum) && a.NoControl == "" &&
			len(a.layers()) > 1 && !slices.Contains(a.layers(), noSuser) {
			t.Errorf("%s expects ECAPMODE and does not name capability mode", a.ID)
		}
	}
	for _, l := range bsdLayers {
		if !used[l.ID] {
			t.Errorf("%s stops nothing", l.ID)
		}
	}
}
