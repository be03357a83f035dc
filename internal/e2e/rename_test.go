package e2e

import (
	"os"
	"path/filepath"
	"slices"
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

// A clone that is killed at any step is made by the same command, one that was finished is there, and what
// somebody else has put in its place stays. The same of a rename; a cell on its way is not started.
func TestCloneAndRenameKilled(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	env := l.env
	for i, at := range []string{"clone:copied", "clone:vars", "clone:placed", "clone:file", "rename:begun", "rename:file", "rename:state", "rename:removed"} {
		name, other := "web"+string(rune('a'+i)), "new"+string(rune('a'+i))
		for _, label := range []string{"root", "data"} {
			l.write(name+"-"+label+".img", "of "+label)
			l.try(os.Truncate(l.path(name+"-"+label+".img"), 1<<20))
		}
		l.cell(name, "disk \"root\" {\n  file = \""+l.path(name+"-root.img")+"\"\n}\ndisk \"data\" {\n  file = \""+l.path(name+"-data.img")+"\"\n}\n")
		l.try(os.MkdirAll(l.path("state/cells/"+name), 0o700))
		l.write("state/cells/"+name+"/uefi-vars.fd", "variables")
		verb, _, _ := strings.Cut(at, ":")
		l.env = append(slices.Clone(env), "SKEP_TEST_CRASH_AT="+at)
		l.must(137, verb, name, other)
		l.env = env
		switch at {
		case "clone:placed":
			// Somebody else's file of that name stays, and is named.
			l.write("mine", "mine")
			l.try(os.Rename(l.path("mine"), l.path(other+"-root.img")))
			if r := l.must(2, verb, name, other); !strings.Contains(r.err, other+"-root.img already exists") {
				t.Errorf("%s", r)
			}
			l.try(os.Remove(l.path(other + "-root.img")))
		case "clone:file":
			if r := l.must(2, verb, name, other); !strings.Contains(r.err, "there is a cell "+other+" already") {
				t.Errorf("%s", r)
			}
		case "rename:begun":
			// Somebody else's file of that name is not the new one, for which the old one goes.
			l.cell(other, "")
			if r := l.must(2, verb, name, other); !strings.Contains(r.err, "the file of "+other+" says something else") {
				t.Errorf("%s", r)
			}
			l.try(os.Remove(l.path("config/cells/" + other + ".hcl")))
		}
		if verb == "rename" {
			for _, one := range []string{name, other} {
				if _, err := os.Stat(l.path("config/cells/" + one + ".hcl")); err != nil {
					continue
				}
				if r := l.must(2, "up", one); !strings.Contains(r.err, "was cut off") {
					t.Errorf("%s", r)
				}
			}
		}
		if at != "clone:file" {
			l.must(0, verb, name, other)
		}
		if b, err := os.ReadFile(l.path("state/cells/" + other + "/uefi-vars.fd")); err != nil || string(b) != "variables" {
			t.Errorf("%s: %q, %v", at, b, err)
		}
		if verb == "clone" {
			if b, err := os.ReadFile(l.path(other + "-data.img")); err != nil || !strings.HasPrefix(string(b), "of data") {
				t.Errorf("%s: %v", at, err)
			}
		} else if _, err := os.Stat(l.path("config/cells/" + name + ".hcl")); err == nil {
			t.Errorf("%s: the old file is there", at)
		}
		l.must(0, "check", other)
	}
	for _, dir := range []string{".", "state", "config/cells"} {
		left, _ := filepath.Glob(l.path(dir) + "/.*.*")
		for _, path := range left {
			t.Errorf("%s is left", path)
		}
	}
	if _, err := os.Stat(l.path("state/unfinished")); err == nil {
		t.Error("something is still written down as unfinished")
	}
}
