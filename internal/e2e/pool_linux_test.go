package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A pool's cells are ready in sealed jails: one is audited and drilled, one is taken and answers at once, and
// the pool is at strength again behind it.
func TestPool(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("h", "accel = \"tcg\"")
	l.write("config/cells/p.hcl", "cell \"p\" {}\npool \"lab\" {\n  from  = \"T\"\n  ready = 2\n}\n")
	if r := l.must(2, "pool", "up", "lab"); !strings.Contains(r.err, "cannot find the template T") {
		t.Error(r)
	}
	if r := l.must(2, "run", "--pool", "nosuch"); !strings.Contains(r.err, "cannot find the pool nosuch") {
		t.Error(r)
	}
	l.must(0, "template", "make", "h", "--when", "skep", "--as", "T")
	l.must(0, "pool", "up", "lab")
	l.must(0, "pool", "up", "lab") // it is at strength
	strength := func() int { return strings.Count(l.must(0, "ps").out, " ready ") }
	if n := strength(); n != 2 {
		t.Fatalf("%d cells are ready\n%s", n, l.must(0, "ps"))
	}
	l.audit(0, "lab@1")
	if r := l.must(0, "drill", "lab@2"); !strings.Contains(r.out, "template-write") {
		t.Errorf("the drill has not tried to write the template\n%s", r.out)
	}
	if r := l.typed("q", "run", "--pool", "lab"); r.code != 0 || !strings.Contains(r.out, "power off") {
		t.Error(r)
	}
	eventually(t, time.Minute, "the pool is at strength again", func() bool { return strength() == 2 })
	// One that dies is missing, and the next who comes fills the pool up.
	l.must(0, "kill", "lab@2")
	if r := l.typed("q", "run", "--quiet", "--pool", "lab"); r.code != 0 || r.err != "" {
		t.Error(r)
	}
	eventually(t, time.Minute, "the pool is at strength again", func() bool { return strength() == 2 })
	if r := l.must(75, "template", "rm", "T"); !strings.Contains(r.err, "runs on it") {
		t.Error(r)
	}
	if out := l.must(0, "pool", "ls").out; !strings.Contains(out, "2 of 2") {
		t.Error(out)
	}
	l.must(0, "pool", "down", "lab")
	l.nothingLeft()
}

// A clone's card has the address of its template's, so no two are on one bridge.
func TestClonesOfOneAddress(t *testing.T) {
	needCells(t)
	needTap(t)
	if os.Geteuid() != 0 {
		t.Skip("taps and bridges need root")
	}
	l := newLab(t)
	bridge := fmt.Sprintf("skc%d", os.Getpid()%100000)
	l.cell("h", fmt.Sprintf("accel = \"tcg\"\nbridge %q {\n  create = true\n}\nnic \"n\" {\n  bridge = %q\n}", bridge, bridge))
	l.must(0, "template", "make", "h", "--when", "skep", "--as", "T")
	l.must(0, "up", "a", "--from", "T")
	if r := l.must(2, "up", "b", "--from", "T"); !strings.Contains(r.err, `"a n" has it`) {
		t.Error(r)
	}
	l.must(0, "up", "h") // another address
	l.must(0, "kill", "a", "h")
	l.must(0, "up", "b", "--from", "T")
	l.must(0, "kill", "b")
	l.nothingLeft()
}
