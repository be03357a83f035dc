package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"skep/guest/hello"
)

// A hypervisor that is killed ends run with 4, and a cell of up as crashed.
func TestKilledHypervisorIsACrash(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	v := l.live("run", "hello")
	v.expect(slow, hello.Commands)
	_ = unix.Kill(l.show("hello").PID, unix.SIGKILL)
	v.ends(slow, 4)
	if s := v.errs.String(); !strings.Contains(s, "SIGKILL") || !strings.Contains(s, "skep: hint: ") {
		t.Errorf("run says %s", s)
	}
	l.nothingLeft()

	l.cell("lab", ``)
	l.must(0, "up", "lab")
	_ = unix.Kill(l.show("lab").PID, unix.SIGKILL)
	eventually(t, slow, "crashed", func() bool { c := l.show("lab"); return c.State == "crashed" && c.PID == 0 })
	if r := l.show("lab").Reason; !strings.Contains(r, "SIGKILL") {
		t.Errorf("the reason: %s", r)
	}
	l.nothingLeft()
}

// A journal that is empty does not hide a guest that lives, nor what one that
// died has left: it is taken up, or swept, with all that its plan names. Without
// its plan the hypervisor is ended, and that the rest is not known is said.
func TestJournalLost(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("lost", `screen {}`)
	empty := func(name string) {
		if err := os.Truncate(l.path("run/cells/lost/"+name), 0); err != nil {
			t.Fatal(err)
		}
	}
	kill := func(pid int) {
		_ = unix.Kill(pid, unix.SIGKILL)
		eventually(t, slow, "it is gone", func() bool { return gone(pid) })
	}
	for _, c := range []struct {
		name string
		do   func(keeper, hypervisor int)
		code int
	}{
		{"swept", func(keeper, _ int) { kill(keeper) }, 0},
		{"both died", func(keeper, hypervisor int) { kill(keeper); kill(hypervisor) }, 0},
		{"taken up", func(keeper, hypervisor int) {
			kill(keeper)
			l.must(0, "adopt", "lost")
			if s := l.show("lost"); s.State != "running" || s.PID != hypervisor || s.KeeperPID == keeper {
				t.Errorf("it was not taken up: %+v", s)
			}
			l.must(0, "down", "lost")
		}, 0},
		{"taken up, and both died then", func(keeper, hypervisor int) {
			kill(keeper)
			l.must(0, "adopt", "lost")
			kill(l.show("lost").KeeperPID)
			kill(hypervisor)
		}, 0},
		{"taken up by one that dies while it writes the journal anew, and both died then", func(keeper, hypervisor int) {
			kill(keeper)
			env := l.env
			l.env = append(slices.Clone(env), "SKEP_TEST_CRASH_AT=rewritten:slot")
			l.skep("adopt", "lost") // its keeper dies
			l.env = env
			kill(hypervisor)
		}, 0},
		{"the plan too", func(keeper, _ int) { empty("detail.json"); kill(keeper) }, 1},
	} {
		l.must(0, "up", "lost")
		s := l.show("lost")
		empty("journal")
		c.do(s.KeeperPID, s.PID)
		r := l.must(c.code, "sweep", "lost")
		if !gone(s.PID) {
			t.Errorf("%s: its hypervisor lives", c.name)
		}
		if c.code != 0 {
			if !strings.Contains(r.err, "is not known") {
				t.Errorf("%s: %s", c.name, r)
			}
			l.must(0, "up", "lost") // with the same number, and so with what was left
			l.must(0, "down", "lost")
		}
		l.nothingLeft()
	}
}

// restart = "on-crash" starts a guest that died again, up to its limit; then it
// is held with the reason, and up clears that.
func TestRestartUntilHeld(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("weak", `accel = "tcg"
restart = "on-crash"
restart_limit {
  starts = 2
  within = "5m"
}`)
	l.must(0, "up", "weak")
	for try := range 3 {
		pid := 0
		eventually(t, slow, "it runs", func() bool {
			c := l.show("weak")
			pid = c.PID
			return c.State == "running" && c.Restarts == try
		})
		if try == 0 {
			v := l.live("console", "weak") // the guest's own death
			v.expect(slow, hello.Commands)
			v.send("t")
			v.ends(slow, 0)
		} else {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	eventually(t, slow, "held", func() bool { return l.show("weak").State == "held" })
	if r := l.show("weak").Reason; !strings.Contains(r, "held: ") || !strings.Contains(r, "5m") {
		t.Errorf("the reason: %s", r)
	}
	l.nothingLeft()
	if r := l.must(0, "ps"); !strings.Contains(r.out, "held") {
		t.Errorf("ps: %s", r)
	}
	l.must(0, "up", "weak")
	if c := l.show("weak"); c.State != "running" || c.Restarts != 0 {
		t.Errorf("up: %s, %d restarts", c.State, c.Restarts)
	}
	l.must(0, "down", "weak")

	// A power-off is no crash; "always" goes on after it.
	l.cell("always", `restart = "always"`)
	l.must(0, "up", "always")
	v := l.live("console", "always")
	v.expect(slow, hello.Commands)
	v.send("q")
	v.ends(slow, 0)
	eventually(t, slow, "it runs again", func() bool { c := l.show("always"); return c.State == "running" && c.Restarts == 1 })
	l.must(0, "down", "always")
	l.nothingLeft()
}

// A guest that resets in a loop is held and does not spin.
func TestRunEndsAResetLoop(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("loop", `restart_limit {
  starts = 3
  within = "5m"
}`)
	v := l.live("run", "loop")
	for range 4 {
		v.expect(slow, hello.Commands)
		v.send("r")
	}
	v.ends(slow, 3)
	if !strings.Contains(v.errs.String(), "held: the guest reset itself more than 3 times") {
		t.Errorf("%s", v.errs)
	}
	l.nothingLeft()
}

// The hypervisor's life does not hang on its keeper's: the guest goes on, ps
// tells, and down ends it with nothing left.
func TestDeadKeeperIsToldAndCleared(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.must(0, "up", "hello")
	before := l.show("hello")
	_ = unix.Kill(before.KeeperPID, unix.SIGKILL)
	eventually(t, slow, "the keeper is gone", func() bool { return gone(before.KeeperPID) })
	if gone(before.PID) {
		t.Fatal("the hypervisor died with its keeper")
	}
	if r := l.must(0, "ps"); !strings.Contains(r.out, "running") || !strings.Contains(r.out, "keeper has died") {
		t.Errorf("ps: %s", r)
	}
	l.must(0, "down", "hello")
	if !gone(before.PID) {
		t.Error("down left the hypervisor")
	}
	l.nothingLeft()

	// Both at once: what they held is swept.
	l.must(0, "up", "hello")
	c := l.show("hello")
	_ = unix.Kill(c.KeeperPID, unix.SIGKILL)
	_ = unix.Kill(c.PID, unix.SIGKILL)
	eventually(t, slow, "both are gone", func() bool { return gone(c.KeeperPID) && gone(c.PID) })
	// One of many threads is the last to go.
	eventually(t, slow, "show says crashed", func() bool { return l.show("hello").State == "crashed" })
	l.must(0, "sweep")
	if s := l.show("hello"); s.State != "crashed" || !strings.Contains(s.Reason, "its keeper had died") {
		t.Errorf("after the sweep it is %s: %s", s.State, s.Reason)
	}
	l.nothingLeft()

	// The keeper alone, and nobody takes the guest up again before a sweep.
	l.must(0, "up", "hello")
	c = l.show("hello")
	_ = unix.Kill(c.KeeperPID, unix.SIGKILL)
	eventually(t, slow, "the keeper is gone", func() bool { return gone(c.KeeperPID) })
	l.must(0, "sweep")
	if s := l.show("hello"); s.State != "crashed" || !strings.Contains(s.Reason, "ended by a sweep") {
		t.Errorf("after the sweep of a guest without keeper it is %s: %s", s.State, s.Reason)
	}
	l.nothingLeft()
}

// gone: there is no such process, or what is left of it is an exit status that
// its new parent has not fetched.
func gone(pid int) bool {
	s := statusOf(pid)
	return s == nil || strings.HasPrefix(s["State"], "Z")
}
