package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A keeper that is sent an ABRT leaves the stacks of all its goroutines in its log, and its guest runs on.
func TestKeeperLeavesItsStacks(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("web", "accel = \"tcg\"")
	l.must(0, "up", "web")
	s := l.show("web")
	if err := syscall.Kill(s.KeeperPID, syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	log := l.path("state/cells/web/keeper.log")
	var text string
	for range 100 {
		b, _ := os.ReadFile(log)
		if text = string(b); strings.Contains(text, "goroutine ") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, want := range []string{"keeper started", "state=running", "SIGABRT", "keeper.(*Keeper).wait"} {
		if !strings.Contains(text, want) {
			t.Errorf("keeper.log has no %q:\n%.2000s", want, text)
		}
	}
	l.must(0, "up", "web") // adopts the guest
	if now := l.show("web"); now.PID != s.PID {
		t.Errorf("pid %d became %d", s.PID, now.PID)
	}
	l.must(0, "down", "web")
	l.nothingLeft()
}

// One tar has what a bug report needs, and nothing that the guest has said.
func TestDebugTar(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("web", "accel = \"tcg\"")
	l.must(0, "up", "web")
	v := l.live("console", "web")
	v.expect(slow, "hello from")
	v.send("x")
	v.expect(slow, "x")
	l.must(0, "debug", "-o", l.path("web.tar"), "web")
	b, err := os.ReadFile(l.path("web.tar"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{"keeper.(*Keeper)", "keeper started", "taken hypervisor", "hypervisor, process ", "socket:control", `"verdict": "seen"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the tar has no %q", want)
		}
	}
	for _, not := range []string{"hello from", ".missing"} {
		if strings.Contains(text, not) {
			t.Errorf("the tar has %q", not)
		}
	}
	for _, kind := range []string{"heap", "goroutine"} {
		if p := l.must(0, "debug", "--profile", kind, "-o", "-", "web").out; !strings.HasPrefix(p, "\x1f\x8b") {
			t.Errorf("%s is no profile: %.20q", kind, p)
		}
	}
	l.must(0, "down", "web")
	l.nothingLeft()
}
