package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// A disk is removed by disk rm alone: when it is named or meant by the cell's
// name, confirmed, and not in use.
func TestDiskRemove(t *testing.T) {
	needCells(t)
	l := newLab(t)
	a, b, iso := l.path("a.img"), l.path("b.img"), l.write("cd.iso", strings.Repeat("i", 2048))
	body := fmt.Sprintf("accel = \"tcg\"\ndisk \"a\" {\n  file = %q\n  size = \"1M\"\n}\ndisk \"b\" {\n  file = %q\n  size = \"1M\"\n}\ndisk \"cd\" {\n  iso = %q\n}", a, b, iso)
	l.cell("d", body)
	there := func(want ...string) {
		t.Helper()
		for _, path := range []string{a, b, iso} {
			_, err := os.Stat(path)
			wanted := strings.Contains(strings.Join(want, " "), path)
			if (err == nil) != wanted {
				t.Errorf("%s: there %v, want %v", path, err == nil, wanted)
			}
		}
	}
	l.must(0, "up", "d")
	if r := l.must(2, "disk", "rm", "--yes", "d"); !strings.Contains(r.err, "it is running") {
		t.Errorf("of a cell that runs: %s", r)
	}
	l.must(0, "down", "d")
	for _, answer := range []string{"", "y\n", "yes\n", "e\n"} {
		if r := l.typed(answer, "disk", "rm", "d"); r.code != 2 || !strings.Contains(r.err, "nothing is removed") {
			t.Errorf("the answer %q: %s", answer, r)
		}
	}
	l.must(2, "disk", "rm", "--yes", "d", "nosuch")
	if r := l.must(2, "disk", "rm", "--yes", "d", "cd"); !strings.Contains(r.err, "ISO image") {
		t.Errorf("%s", r)
	}
	there(a, b, iso)

	// Another cell has it, running or not.
	l.cell("e", fmt.Sprintf("accel = \"tcg\"\ndisk \"x\" {\n  file = %q\n}", a))
	if r := l.must(2, "disk", "rm", "--yes", "d", "a"); !strings.Contains(r.err, "the cell e has it, too") {
		t.Errorf("%s", r)
	}
	// Even where its file does not say so any more.
	l.must(0, "up", "e")
	l.cell("e", "accel = \"tcg\"")
	if r := l.must(2, "disk", "rm", "--yes", "d", "a"); !strings.Contains(r.err, "in use by another cell") {
		t.Errorf("%s", r)
	}
	l.must(0, "down", "e")
	there(a, b, iso)

	if r := l.typed("d\n", "disk", "rm", "d", "a"); r.code != 0 || r.out != a+"\n" {
		t.Errorf("%s", r)
	}
	there(b, iso)
	l.must(0, "disk", "rm", "--yes", "d")
	there(iso)
	l.must(0, "disk", "rm", "--yes", "d") // nothing is left to remove
	l.must(0, "up", "d")                  // and they are made again
	there(a, b, iso)
	l.must(0, "kill", "d")
	l.must(0, "log", "d")
	l.nothingLeft()
}
