package process

import (
	"os"
	"os/exec"
	"testing"
)

func TestLives(t *testing.T) {
	start, err := StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !Lives(os.Getpid(), start) || Gone(os.Getpid()) {
		t.Error("this process does not live")
	}
	if Lives(os.Getpid(), start+1) {
		t.Error("one that started at another time lives")
	}
}

// A process that ended and that nobody has waited for has its number still.
func TestZombieIsGone(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	start, err := StartTime(pid)
	if err != nil || !Lives(pid, start) {
		t.Errorf("a child does not live: %v", err)
	}
	in.Close()
	_, _ = out.Read(make([]byte, 1)) // its end
	for !Gone(pid) {
		continue
	}
	if _, err := StartTime(pid); err != nil {
		t.Errorf("it is no zombie: %v", err)
	}
	if Lives(pid, start) {
		t.Error("a zombie lives")
	}
	_ = cmd.Wait()
}

func TestBootID(t *testing.T) {
	if len(BootID()) != 36 {
		t.Errorf("%q is no boot's", BootID())
	}
}
