package cli

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"skep/internal/fault"
)

// down and kill come back when the processes are gone, and name one that stays
// and for how long they have waited.
func TestLeavingWaits(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	l := leaving{keepers: map[int]bool{cmd.Process.Pid: true}}
	err := l.wait("web", 20*time.Millisecond)
	if fault.CodeOf(err) != fault.Host || !strings.Contains(err.Error(), "its keeper (pid ") || !strings.Contains(err.Error(), "20ms") {
		t.Error(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- l.wait("web", time.Minute) }()
	select {
	case err := <-gone:
		t.Error("it did not wait:", err)
	case <-time.After(50 * time.Millisecond):
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := <-gone; err != nil {
		t.Error(err)
	}
}

func TestProgressLine(t *testing.T) {
	for left, want := range map[time.Duration]string{
		29400 * time.Millisecond: "waiting for web to power off: in 29s it is killed",
		-time.Second:             "waiting for web to power off: it is killed",
	} {
		if got := progressLine("waiting for web to power off", left, "it is killed"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
