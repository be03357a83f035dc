package devfs

import (
	"slices"
	"strings"
	"testing"
)

// A /dev is right where the rules say otherwise.
func TestObserved(t *testing.T) {
	sets := load(t, "../stock.rules", "bhyve.rules").Sets
	nodes := []Node{{Path: "null"}, {Path: "zero"}, {Path: "mem"}, {Path: "da0"}, {Path: "vmm", Kind: Directory}, {Path: "vmm/web"}, {Path: "tap0"}}
	r, err := Check(sets, 25, 2, nodes, "vmm/web", "da0")
	if err != nil {
		t.Fatal(err)
	}
	if got := shownNames(r.Visible); got != "null tap0 vmm vmm/web zero" || r.Hidden != 2 {
		t.Fatalf("%s, %d hidden", got, r.Hidden)
	}
	same := r.Observed([]Node{{Path: "null"}, {Path: "tap0"}, {Path: "vmm", Kind: Directory}, {Path: "vmm/web"}, {Path: "zero"}})
	if !same.Differs.Same() || shownNames(same.Visible) != shownNames(r.Visible) || same.Hidden != 2 || len(same.Dangerous) != 1 {
		t.Errorf("%+v", same)
	}

	// zero and tap0 are gone; mem is there, and so is da0, which is the jail's.
	o := r.Observed([]Node{{Path: "null"}, {Path: "mem"}, {Path: "da0"}, {Path: "vmm", Kind: Directory}, {Path: "vmm/web"}})
	if !slices.Equal(o.Differs.Extra, []string{"da0", "mem"}) || !slices.Equal(o.Differs.Missing, []string{"tap0", "zero"}) {
		t.Errorf("%+v", o.Differs)
	}
	if got := shownNames(o.Visible); got != "da0 mem null vmm vmm/web" || o.Hidden != 2 {
		t.Errorf("%s, %d hidden", got, o.Hidden)
	}
	if len(o.Dangerous) != 1 || o.Dangerous[0].Path != "mem" || !o.Dangerous[0].Against {
		t.Errorf("%+v", o.Dangerous)
	}
	var b strings.Builder
	if err := o.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"5 nodes visible, 1 dangerous, 2 hidden",
		"warning: the rules hide these, and they are there: da0 mem; the mount is older",
		"note: the rules show these, and they are not there: tap0 zero",
		"danger: mem              reads and writes the host's memory (there, against the rules)",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("not in the report: %s\n%s", want, &b)
		}
	}
	if r.Differs != nil || shownNames(r.Visible) != "null tap0 vmm vmm/web zero" {
		t.Error("the report that was corrected has changed")
	}
	if none := r.Observed(nil); len(none.Visible) != 0 || len(none.Dangerous) != 0 || none.Visible == nil {
		t.Errorf("an empty /dev: %+v", none)
	}
}

func shownNames(visible []Visible) string { return strings.Join(paths(visible), " ") }

// TestObservedLink: a link that covers a node is a name, and no way to the node.
func TestObservedLink(t *testing.T) {
	sets := load(t, "../stock.rules", "bhyve.rules").Sets
	nodes := []Node{{Path: "null"}, {Path: "vmm", Kind: Directory}, {Path: "vmm/web"}, {Path: "vmmctl"}}
	sets[25].Rules = append(sets[25].Rules, Rule{Number: 900, HasPath: true, Path: "vmmctl", Unhide: true})
	r, err := Check(sets, 25, 2, nodes, "vmm/web")
	if err != nil {
		t.Fatal(err)
	}
	seen := func(kind Kind) []Finding {
		return r.Observed([]Node{{Path: "null"}, {Path: "vmm", Kind: Directory}, {Path: "vmm/web"}, {Path: "vmmctl", Kind: kind}}).Dangerous
	}
	if bad := seen(Device); len(bad) != 1 || bad[0].Path != "vmmctl" {
		t.Errorf("the node itself: %+v", bad)
	}
	if bad := seen(Symlink); len(bad) != 0 {
		t.Errorf("a link: %+v", bad)
	}
}
