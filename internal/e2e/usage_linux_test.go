package e2e

import (
	"strings"
	"testing"
	"time"
)

// A cell without a screen says so at once; QEMU itself would take a viewer and
// never answer it.
func TestNoScreen(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("blind", `accel = "tcg"`)
	l.must(0, "up", "blind")
	began := time.Now()
	r := l.skep("screenshot", "blind")
	if r.code != 2 || !strings.Contains(r.err, "it has none") || !strings.Contains(r.err, "add screen {}") {
		t.Errorf("a screenshot of nothing:\n%s", r)
	}
	if d := time.Since(began); d > 8*time.Second {
		t.Errorf("it took %s to say so", d)
	}
	l.must(0, "down", "blind")
	l.nothingLeft()
}

// A cell that was started from a file elsewhere is restarted from there, by its
// name and by --all.
func TestRestartFromItsFile(t *testing.T) {
	needCells(t)
	l := newLab(t)
	file := l.write("elsewhere/far.hcl", "cell \"far\" {\n  accel = \"tcg\"\n}\n")
	l.must(0, "up", file)
	pid := l.show("far").PID
	for _, how := range []string{"far", "--all"} {
		l.must(0, "restart", how)
		now := l.show("far")
		if now.State != "running" || now.PID == pid {
			t.Errorf("restart %s: %s with pid %d, which was %d", how, now.State, now.PID, pid)
		}
		pid = now.PID
	}
	// Its file has become another cell's: the running one is left alone.
	l.write("elsewhere/far.hcl", "cell \"other\" {}\n")
	if r := l.skep("restart", "far"); r.code != 2 || !strings.Contains(r.err, `holds the cell "other"`) {
		t.Errorf("restart from another cell's file:\n%s", r)
	}
	if now := l.show("far"); now.PID != pid {
		t.Errorf("pid %d became %d", pid, now.PID)
	}
	l.must(0, "down", "far")
	if r := l.skep("restart", "far"); r.code != 2 {
		t.Errorf("restart of a cell that does not run and has no file:\n%s", r)
	}
	l.nothingLeft()
}

// As many processors as a cell may have fit into the limits that it gets.
func TestMostProcessors(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("many", "accel = \"tcg\"\ncpus = 255")
	if r := l.typed("q", "run", "many"); r.code != 0 {
		t.Errorf("%s", r)
	}
	l.nothingLeft()
}
