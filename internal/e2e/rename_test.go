package e2e

import (
	"os"
	"strings"
	"testing"
)

// A cell that is renamed keeps its file's comments, its state and its disks; a clone has disks and addresses of
// its own; and what cannot be done is refused before anything is.
func TestRenameAndClone(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.write("web.img", "the web's disk")
	l.try(os.Truncate(l.path("web.img"), 1<<20))
	l.cell("web", `# a comment that stays
disk "root" {
  file = "`+l.path("web.img")+`"
}
results "out" {
}
`)
	l.cell("after", `after = ["web"]`)
	l.must(0, "up", "web")
	l.must(2, "rename", "web", "www")
	l.must(2, "clone", "web", "www")
	l.must(0, "kill", "web")
	l.must(2, "rename", "web", "after")
	l.must(2, "rename", "web", "no.dots")
	l.must(2, "rename", "nosuch", "www")
	if r := l.must(0, "rename", "web", "www"); !strings.Contains(r.err, "after comes after web") {
		t.Errorf("%s", r)
	}
	b, err := os.ReadFile(l.path("config/cells/www.hcl"))
	if err != nil || !strings.Contains(string(b), "# a comment that stays") || !strings.Contains(string(b), `cell "www"`) {
		t.Errorf("%v: %s", err, b)
	}
	l.must(2, "show", "web")
	if r := l.must(0, "disk", "ls", "www"); !strings.Contains(r.out, "results, tar") || strings.Contains(r.out, "missing") {
		t.Errorf("%s", r)
	}
	l.must(0, "up", "www")
	l.must(0, "kill", "www")

	l.must(0, "clone", "www", "two")
	if b, _ := os.ReadFile(l.path("two-web.img")); !strings.HasPrefix(string(b), "the web's disk") || len(b) != 1<<20 {
		t.Error("the clone has no copy of the disk")
	}
	l.must(0, "up", "www", "two")
	l.must(0, "kill", "www", "two")
	l.must(2, "clone", "www", "two")
	l.must(0, "disk", "ls", "--json", "two")
	l.nothingLeft()
}
