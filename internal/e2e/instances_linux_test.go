package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// One cell file, many cells: each with a number, a state, a console and a
// screen of its own, and whatever is said of one is said of that one alone.
func TestInstances(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("lab", "memory = \"16M\"\naccel = \"tcg\"\nscreen {}\nstart = \"boot\"")
	l.must(0, "up", "lab@{1..3}", "hello@x")
	var list struct{ Cells []cellState }
	if err := json.Unmarshal([]byte(l.must(0, "ps", "--json").out), &list); err != nil {
		t.Fatal(err)
	}
	uids := map[int]bool{}
	for _, c := range list.Cells {
		if c.Name == "lab" {
			continue // its file is there, and it does not run
		}
		if c.State != "running" || uids[c.UID] || !l.mine(c.UID) {
			t.Errorf("%s is %s with uid %d", c.Name, c.State, c.UID)
		}
		uids[c.UID] = true
	}
	if len(uids) != 4 {
		t.Errorf("%d cells run", len(uids))
	}
	l.audit(0, "lab@2")
	l.must(0, "screenshot", "lab@3", "-o", l.path("screen.png"))
	if r := l.must(0, "up", "lab@1"); !strings.Contains(r.err, "lab@1 is already running") {
		t.Error(r)
	}
	l.must(0, "down", "lab@2")
	if r := l.must(0, "ps", "-q"); r.out != "hello@x\nlab@1\nlab@3\n" {
		t.Errorf("%q", r.out)
	}
	// start = "boot" is of the plain cell.
	l.must(0, "up", "--boot")
	if r := l.must(0, "ps", "-q"); r.out != "hello@x\nlab\nlab@1\nlab@3\n" {
		t.Errorf("%q", r.out)
	}
	l.must(0, "down", "lab@*")
	if r := l.must(0, "ps", "-q"); r.out != "hello@x\nlab\n" {
		t.Errorf("%q", r.out)
	}
	if r := l.must(0, "log", "lab@3"); !strings.Contains(r.out, "hello from a guest inside skep") {
		t.Error(r)
	}
	l.must(0, "down", "--all")
	l.nothingLeft()
}
