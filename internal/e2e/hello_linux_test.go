package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"skep/guest/hello"
)

// slow is how long anything may take on a busy host.
const slow = 30 * time.Second

// The built-in guest reaches every fate that a guest can have, and each has
// its exit status. TCG tells a triple fault from a reset; KVM does not.
func TestHelloExitCodes(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	for _, c := range []struct {
		name, body, stdin string
		code              int
		stderr            string
	}{
		{"off", ``, "q", 0, ""},
		{"off-tcg", `accel = "tcg"`, "q", 0, ""},
		{"triple", `accel = "tcg"`, "t", 3, "triple fault"},
	} {
		l.cell(c.name, c.body)
		r := l.typed(c.stdin, "run", c.name)
		if r.code != c.code || !strings.HasPrefix(r.out, "hello from") || !strings.Contains(r.err, c.stderr) {
			t.Errorf("%s: want exit %d and %q\n%s", c.name, c.code, c.stderr, r)
		}
		if !strings.Contains(r.err, "jailed as uid") {
			t.Errorf("%s: run does not say in which jail: %s", c.name, r.err)
		}
	}
	l.nothingLeft()
}

// A reset is the guest's own affair: it greets again in the same process and
// the same jail, and the reset is counted.
func TestResetGreetsAgainAndCounts(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	v := l.live("run", "hello")
	v.expect(slow, hello.Commands)
	eventually(t, slow, "it runs", func() bool { return l.show("hello").State == "running" })
	before := l.show("hello")
	v.send("r")
	v.expect(slow, "hello from")
	v.expect(slow, hello.Commands)
	eventually(t, slow, "a reset is counted", func() bool { return l.show("hello").Resets == 1 })
	after := l.show("hello")
	if before.PID == 0 || before.PID != after.PID || after.State != "running" {
		t.Errorf("before: pid %d; after: pid %d, %s", before.PID, after.PID, after.State)
	}
	v.send("q")
	v.ends(slow, 0)
	l.nothingLeft()
}

// A software KVM stops with an internal error at a triple fault. KVM has been
// seen to run this very guest, so it is the guest that died: it is neither
// started over with TCG nor called the hypervisor's end.
func TestTripleFaultUnderASoftwareKVM(t *testing.T) {
	needCells(t)
	needKVM(t)
	if _, err := os.Stat("/sys/module/kvm_pvm"); err != nil {
		t.Skip("another KVM reports a triple fault as a reset")
	}
	l := newLab(t)
	r := l.typed("t", "run", "hello")
	if r.code != 3 || strings.Count(r.out, "hello from") != 1 || !strings.Contains(r.err, "internal-error") {
		t.Errorf("%s", r)
	}
	l.nothingLeft()
}
