package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// last is what is remembered of a cell's last moments.
func (l *lab) last(name string) (c struct {
	State, Reason string
	PID           int
	UID, Restarts int
	LastConsole   []string `json:"last_console"`
	LastWords     []string `json:"last_words"`
}) {
	l.t.Helper()
	r := l.must(0, "show", "--json", name)
	if err := json.Unmarshal([]byte(r.out), &c); err != nil {
		l.t.Fatalf("%v\n%s", err, r)
	}
	return c
}

func (l *lab) becomes(name, state string, within time.Duration) {
	l.t.Helper()
	eventually(l.t, within, name+" is "+state, func() bool { return l.show(name).State == state })
}

// A guest that resets in a loop ends in held, with the reason and its last
// lines; up clears it.
func TestResetLoopKeepsLastLines(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("r", "accel = \"tcg\"\nrestart_limit {\n  starts = 3\n  within = \"1m\"\n}")
	l.must(0, "up", "r")
	c := l.live("console", "r")
	for range 3 {
		c.send("r")
		c.expect(15*time.Second, "reset\r\nhello from")
	}
	c.send("r")
	l.becomes("r", "held", 15*time.Second)
	s := l.last("r")
	if !strings.Contains(s.Reason, "reset itself more than 3 times within 1m") {
		t.Errorf("the reason is %q", s.Reason)
	}
	if all := strings.Join(s.LastConsole, "\n"); !strings.Contains(all, "reset") || !strings.Contains(all, "hello from") {
		t.Errorf("the console's last lines are %q", s.LastConsole)
	}
	if r := l.must(0, "show", "r"); !strings.Contains(r.out, "last of the console") {
		t.Errorf("show says nothing of the console\n%s", r)
	}
	l.nothingLeft()
	l.must(0, "up", "r")
	if s := l.show("r"); s.State != "running" || s.Resets != 0 {
		t.Errorf("after up it is %s with %d resets", s.State, s.Resets)
	}
	l.must(0, "kill", "r")
	l.nothingLeft()
}

// A cell that crashes is started again after pauses that double, then held.
// What ps says in a pause is true, and down ends the pause.
func TestCrashesAreHeld(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("k", "accel = \"tcg\"\nrestart = \"on-crash\"\nrestart_limit {\n  starts = 2\n  within = \"5m\"\n}")
	l.must(0, "up", "k")
	begin := time.Now()
	for n := range 3 {
		pid := 0
		eventually(t, 15*time.Second, "it runs", func() bool {
			s := l.show("k")
			pid = s.PID
			return s.State == "running" && s.Restarts == n
		})
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, "it is seen", func() bool { return l.show("k").PID != pid })
	}
	l.becomes("k", "held", 10*time.Second)
	if took := time.Since(begin); took < 1500*time.Millisecond {
		t.Errorf("two restarts within %s: the pauses are half a second and one", took)
	}
	s := l.last("k")
	if !strings.Contains(s.Reason, "ended 3 times within 5m") || !strings.Contains(s.Reason, "SIGKILL") && !strings.Contains(s.Reason, "signal") && !strings.Contains(s.Reason, "killed") {
		t.Errorf("the reason is %q", s.Reason)
	}
	l.nothingLeft()
}

func TestDownEndsThePause(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("k", "accel = \"tcg\"\nrestart = \"always\"\nrestart_limit {\n  starts = 9\n}")
	l.must(0, "up", "k")
	for n := range 3 { // the third pause is two seconds
		eventually(t, 15*time.Second, "it runs", func() bool { s := l.show("k"); return s.State == "running" && s.Restarts == n })
		if err := syscall.Kill(l.show("k").PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		l.becomes("k", "crashed", 5*time.Second)
	}
	s := l.last("k")
	if s.PID != 0 || s.UID != -1 || !strings.Contains(s.Reason, "starting again in 2s") {
		t.Errorf("in the pause it has pid %d, uid %d: %s", s.PID, s.UID, s.Reason)
	}
	if r := l.skep("screenshot", "k"); r.code != 1 || !strings.Contains(r.err, "not running") {
		t.Errorf("a screenshot in the pause:\n%s", r)
	}
	begin := time.Now()
	l.must(0, "down", "k")
	if d := time.Since(begin); d > 1500*time.Millisecond {
		t.Errorf("down in a pause took %s", d)
	}
	if s := l.last("k"); s.State != "stopped" || !strings.Contains(s.Reason, "while waiting to be restarted") {
		t.Errorf("%s: %s", s.State, s.Reason)
	}
	l.nothingLeft()
}

// A hypervisor that dies at once, while the host boots: a few starts with
// pauses between them, then held with what it said.
func TestHypervisorDiesAtOnce(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("d", "accel = \"tcg\"\nstart = \"boot\"\nrestart_limit {\n  starts = 2\n}\nhypervisor {\n  args = [\"-no-such-flag\"]\n}")
	l.cell("good", "accel = \"tcg\"\nstart = \"boot\"")
	l.cell("by-hand", `accel = "tcg"`)
	r := l.must(4, "up", "--boot")
	if !strings.Contains(r.err, "no-such-flag") || !strings.Contains(r.err, "tried again in 500ms") {
		t.Errorf("up --boot says\n%s", r)
	}
	if s := l.show("good"); s.State != "running" {
		t.Errorf("the other cell is %s: %s", s.State, s.Reason)
	}
	if s := l.show("by-hand"); s.State != "stopped" {
		t.Errorf("a cell without start = \"boot\" is %s", s.State)
	}
	l.becomes("d", "held", 15*time.Second)
	s := l.last("d")
	if !strings.Contains(s.Reason, "ended 3 times") || !strings.Contains(strings.Join(s.LastWords, "\n"), "no-such-flag") {
		t.Errorf("reason %q, last words %q", s.Reason, s.LastWords)
	}
	if b, _ := os.ReadFile(l.path("state/cells/d/hypervisor.log")); strings.Count(string(b), "no-such-flag: ") != 3 {
		t.Errorf("it was started %d times, want 3\n%s", strings.Count(string(b), "no-such-flag: "), b)
	}
	l.write("other/cells/x.hcl", "cell \"x\" {\n  accel = \"tcg\"\n}\n")
	l.must(0, "up", "--boot", "--config-dir", l.path("other")) // nothing to start is no failure
	l.must(0, "down", "--all")
	l.nothingLeft()
}

// A bridge that comes late is waited for; one that does not come leaves the
// cell held. Neither keeps a person waiting at up.
func TestBridgeNotThereAtBoot(t *testing.T) {
	needCells(t)
	needTap(t)
	l := newLab(t)
	bridge := fmt.Sprintf("skl%d", os.Getpid()%100000)
	body := fmt.Sprintf("accel = \"tcg\"\nstart = \"boot\"\nrestart_limit {\n  starts = 2\n}\nnic \"n\" {\n  bridge = %q\n}", bridge)
	l.cell("b", body)
	r := l.must(2, "up", "--boot")
	if !strings.Contains(r.err, bridge) || !strings.Contains(r.err, "tried again") {
		t.Errorf("up --boot says\n%s", r)
	}
	l.becomes("b", "held", 15*time.Second)
	if s := l.last("b"); !strings.Contains(s.Reason, bridge) {
		t.Errorf("the reason is %q", s.Reason)
	}
	l.nothingLeft()
	if r := l.must(2, "up", "b"); !strings.Contains(r.err, bridge) {
		t.Errorf("up by hand says\n%s", r)
	}
	if s := l.show("b"); s.State != "stopped" {
		t.Errorf("a start by hand that failed leaves it %s", s.State)
	}

	l.must(2, "up", "--boot")
	if s := l.show("b"); s.State != "crashed" && s.State != "starting" {
		t.Errorf("between two starts it is %s", s.State)
	}
	if out, err := exec.Command("ip", "link", "add", bridge, "type", "bridge").CombinedOutput(); err != nil {
		t.Skipf("cannot make a bridge: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", bridge).Run() })
	l.becomes("b", "running", 15*time.Second)
	l.must(0, "down", "b")
	l.nothingLeft()
	if _, err := net.InterfaceByName(bridge); err != nil {
		t.Error("the admin's bridge is gone")
	}
	if _, err := os.Stat(filepath.Join("/sys/class/net", bridge, "bridge")); err != nil {
		t.Error(err)
	}
}

// A keeper that dies in a pause leaves a socket and a journal, which the next
// start sweeps; nothing starts the cell behind anybody's back.
func TestKeeperDiesInThePause(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("p", "accel = \"tcg\"\nstart = \"boot\"\nhypervisor {\n  args = [\"-no-such-flag\"]\n}")
	l.must(4, "up", "--boot")
	l.becomes("p", "crashed", 5*time.Second)
	if r := l.must(0, "up", "p"); !strings.Contains(r.err, "already going to start it again") {
		t.Errorf("up in the pause: %s", r)
	}
	l.must(0, "sweep") // leaves it alone
	keeper := l.show("p").KeeperPID
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "it is seen", func() bool {
		s := l.show("p")
		return s.State == "crashed" && s.KeeperPID == 0 && strings.Contains(s.Reason, "skep sweep")
	})
	l.cell("p", `accel = "tcg"`)
	l.must(0, "up", "p")
	l.must(0, "down", "p")
	l.nothingLeft()
}
