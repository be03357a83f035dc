package e2e

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A paused guest executes nothing until it is resumed, whatever becomes of its keeper, and that is shown.
func TestPause(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.must(1, "pause", "hello")
	l.must(1, "resume", "hello")
	l.must(2, "pause", "nosuch")
	l.must(0, "up", "hello")
	c := l.console("hello")
	c.send("x")
	c.expect(boot, "x")
	l.must(0, "resume", "hello") // it runs already
	l.must(0, "pause", "hello")
	l.must(0, "suspend", "hello") // libvirt's word, and a second time
	c.send("abc")
	stands := func(what string) {
		t.Helper()
		if s := l.show("hello"); s.State != "paused" || s.Suspended != "skep pause" {
			t.Errorf("%s: %s, by %q", what, s.State, s.Suspended)
		}
		if r := l.must(0, "ps"); !strings.Contains(r.out, "by skep pause") {
			t.Errorf("%s: ps does not say it: %s", what, r)
		}
		if r := l.must(0, "audit", "hello"); !strings.Contains(r.out, "the guest is paused: by skep pause") {
			t.Errorf("%s: the audit does not say it: %s", what, r)
		}
		time.Sleep(300 * time.Millisecond)
		if strings.Contains(c.out.String(), "abc") {
			t.Errorf("%s: the guest executes", what)
		}
	}
	stands("paused")
	// A second keeper finds it as the first has left it.
	keeper := l.show("hello").KeeperPID
	_ = unix.Kill(keeper, unix.SIGKILL)
	eventually(t, slow, "its keeper is gone", func() bool { return unix.Kill(keeper, 0) != nil })
	l.must(0, "pause", "hello")
	stands("adopted")
	if s := l.show("hello"); s.KeeperPID == keeper {
		t.Error("it was not adopted")
	}
	l.must(0, "unpause", "--all") // docker's word
	if s := l.show("hello"); s.State != "running" || s.Suspended != "" {
		t.Errorf("resumed: %s, by %q", s.State, s.Suspended)
	}
	c.expect(slow, "abc")
	l.must(0, "pause", "hello")
	l.must(0, "kill", "hello")
	if s := l.show("hello"); s.Suspended != "" {
		t.Errorf("ended, and suspended by %q", s.Suspended)
	}
	l.nothingLeft()
}

// A paused guest hears the power button when it is stopped, within its stop_timeout.
func TestDownWhilePaused(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	l.cell("c", `accel = "tcg"
memory = "256M"
stop_timeout = "60s"
`+kernelBlock(k))
	l.must(0, "up", "c")
	c := l.console("c")
	c.expect(boot, "guest: ready")
	l.must(0, "pause", "c")
	l.must(0, "down", "c")
	if s := l.show("c"); !strings.Contains(s.Reason, "powered off") {
		t.Errorf("it did not power off by itself: %s", s.Reason)
	}
	l.nothingLeft()
}
