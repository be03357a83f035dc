//go:build linux || freebsd

package process

import (
	"os/exec"
	"testing"
	"time"
)

func TestEnded(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended, done, err := Ended(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	select {
	case <-ended:
		t.Fatal("it has ended already")
	case <-time.After(50 * time.Millisecond):
	}
	_ = cmd.Process.Kill()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("its end was not seen")
	}
	_ = cmd.Wait()
	if _, _, err := Ended(cmd.Process.Pid); err == nil {
		t.Error("a process that is gone can be watched")
	}
}
