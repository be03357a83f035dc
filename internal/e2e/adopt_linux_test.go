package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// A guest survives its keeper: ps only says so, adopt keeps it, its console has lost nothing, and down
// presses its power button.
func TestGuestSurvivesItsKeeper(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("s", "accel = \"tcg\"\nscreen {\n}")
	l.must(0, "up", "s")
	before := l.show("s")
	if err := syscall.Kill(before.KeeperPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "the keeper is gone", func() bool {
		s := statusOf(before.KeeperPID)["State"]
		return s == "" || strings.HasPrefix(s, "Z")
	})
	if r := l.must(0, "ps"); !strings.Contains(r.out, "its keeper has died; skep adopt s keeps it, skep down s ends it") {
		t.Errorf("ps: %s", r)
	}
	if s := l.show("s"); s.State != "running" || s.KeeperPID != 0 {
		t.Errorf("ps, which only looks, left it with keeper %d, %s", s.KeeperPID, s.State)
	}
	l.must(0, "adopt", "s")
	if r := l.must(0, "adopt", "s"); !strings.Contains(r.err, "s has a keeper") {
		t.Errorf("adopted twice: %s", r)
	}
	after := l.show("s")
	if after.State != "running" || after.PID != before.PID {
		t.Fatalf("the cell is %s with pid %d, want running with pid %d", after.State, after.PID, before.PID)
	}
	if after.KeeperPID == 0 || after.KeeperPID == before.KeeperPID {
		t.Errorf("its keeper is %d, and %d was killed", after.KeeperPID, before.KeeperPID)
	}
	l.audit(0, "s")

	c := l.live("console", "s")
	c.expect(5*time.Second, "hello from") // the log's last lines
	c.send("x")
	c.expect(5*time.Second, "x")
	c.send("r")
	c.expect(15*time.Second, "reset\r\nhello from") // the new keeper resets it in its place
	if n := l.show("s").Resets; n != 1 {
		t.Errorf("%d resets, want 1", n)
	}
	l.must(0, "screenshot", "s", "-o", l.path("s.png"))
	l.must(0, "down", "s")
	if s := l.show("s"); s.State != "stopped" || !strings.Contains(s.Reason, "powered off") {
		t.Errorf("%s: %s", s.State, s.Reason)
	}
	if r := l.must(1, "adopt", "s"); !strings.Contains(r.err, "it is not running") {
		t.Errorf("adopt of a cell that is stopped: %s", r)
	}
	l.must(0, "adopt", "--all")
	l.nothingLeft()
}

// up does the same, and run does not start a second guest beside the first.
func TestUpTakesUpAgain(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("u", `accel = "tcg"`)
	l.must(0, "up", "u")
	before := l.show("u")
	if err := syscall.Kill(before.KeeperPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	if r := l.skep("run", "u"); r.code != 75 || !strings.Contains(r.err, "already running") {
		t.Errorf("run beside a guest without keeper:\n%s", r)
	}
	l.must(0, "up", "u")
	if after := l.show("u"); after.PID != before.PID {
		t.Errorf("pid %d became %d", before.PID, after.PID)
	}
	l.must(0, "kill", "u")
	l.nothingLeft()
}
