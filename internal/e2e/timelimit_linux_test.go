package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// A guest whose time is over is asked to power off and then forced, with a status of its own; so too where
// the keeper that began to count has died.
func TestTimeLimit(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("obeys", "accel = \"tcg\"\ntime_limit = \"1h\"")
	if r := l.must(7, "run", "--time-limit", "1s", "obeys"); !strings.Contains(r.err, "asked by its time limit") {
		t.Errorf("its end: %s", r)
	}
	if s := l.show("obeys"); s.ExitCode != 7 || s.State != "stopped" {
		t.Errorf("%s with %d", s.State, s.ExitCode)
	}
	l.cell("hangs", "accel = \"tcg\"\nstop_timeout = \"1s\"\ntime_limit = \"2s\"\nrestart = \"always\"")
	r := l.typed("h", "run", "hangs")
	if r.code != 7 || !strings.Contains(r.err, "did not power off within 1s; its time limit was over") {
		t.Errorf("its end: %s", r)
	}
	l.must(0, "up", "hangs")
	before := l.show("hangs")
	if err := syscall.Kill(before.KeeperPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, slow, "the keeper is gone", func() bool {
		s := statusOf(before.KeeperPID)["State"]
		return s == "" || strings.HasPrefix(s, "Z")
	})
	time.Sleep(time.Until(before.Ends)) // over while nobody keeps it
	l.must(0, "adopt", "hangs")
	eventually(t, slow, "its time is over", func() bool { return l.show("hangs").State == "stopped" })
	if s := l.show("hangs"); s.ExitCode != 7 || !strings.Contains(s.Reason, "asked by its time limit") {
		t.Errorf("adopted: %d, %s", s.ExitCode, s.Reason)
	}
	l.must(2, "run", "--time-limit", "0s", "obeys")
	l.nothingLeft()
}
