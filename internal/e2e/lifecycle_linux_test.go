package e2e

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/guest/hello"
)

// The end of what is piped in is no order: the guest goes on, and its output
// with it. SIGTERM is the power button, a second one is the end.
func TestRunAndItsSignals(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	v := l.live("run", "hello")
	v.expect(slow, hello.Commands)
	v.in.Close()
	time.Sleep(300 * time.Millisecond)
	if s := l.show("hello").State; s != "running" {
		t.Fatalf("after the end of standard input: %s", s)
	}
	_ = v.cmd.Process.Signal(unix.SIGTERM)
	v.expect(slow, "power button: power off")
	v.ends(slow, 6)
	if !strings.Contains(v.errs.String(), "asked by") {
		t.Errorf("run does not say who stopped it: %s", v.errs)
	}

	// A guest that is unresponsive to its power button ends at the second signal, but not
	// at the echo of the first that timeout(1) and a closed terminal send.
	v = l.live("run", "hello")
	v.expect(slow, hello.Commands)
	v.send("h")
	v.expect(slow, "\nhang")
	_ = v.cmd.Process.Signal(unix.SIGHUP)
	_ = v.cmd.Process.Signal(unix.SIGTERM)
	eventually(t, slow, "stopping", func() bool { return l.show("hello").State == "stopping" })
	time.Sleep(1500 * time.Millisecond)
	if s := l.show("hello").State; s != "stopping" {
		t.Fatalf("two signals at once: %s\n%s", s, v.errs)
	}
	_ = v.cmd.Process.Signal(unix.SIGHUP)
	v.ends(slow, 6)
	l.nothingLeft()
}

// Whoever reads the output of run and leaves, as head(1) does, stops the guest;
// so does a full disk. Neither leaves a guest without a keeper.
func TestRunWithNobodyReading(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	r.Close()
	for _, out := range []*os.File{w, full} {
		cmd := l.command(t.Context(), "run", "hello")
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = out, &errs
		l.start(cmd)
		out.Close()
		if got := code(t, cmd.Wait()); got != 6 || !strings.Contains(errs.String(), "powered off, asked by its output") {
			t.Errorf("exit %d, want 6\n%s", got, &errs)
		}
		l.nothingLeft()
	}
}

// ~. at the start of a line stops the guest of run and gives the terminal back
// as it was. In the middle of a line it is typed, and so are ~~ and ^C.
func TestRunOnATerminal(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	v := l.onTerminal("run", "hello")
	v.expect(slow, hello.Commands)
	if v.cooked() {
		t.Error("the terminal is not in raw mode")
	}
	v.send("\x03a~.\r~~b")
	v.expect(slow, "\x03a~.\r\n~b")
	if s := l.show("hello").State; s != "running" {
		t.Fatal(s)
	}
	v.send("\r~.")
	v.expect(slow, "power button: power off")
	v.ends(slow, 6)
	if !v.cooked() {
		t.Error("the terminal is left in raw mode")
	}
	l.nothingLeft()
}

// A terminal that goes away in the middle of run stops the guest by its power
// button, and nothing is left.
func TestTerminalGone(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	v := l.onTerminal("run", "hello")
	v.expect(slow, hello.Commands)
	v.tty.Close()
	v.in.Close()
	v.ends(slow, 6)
	if log := l.must(0, "log", "hello").out; !strings.Contains(log, "power button: power off") {
		t.Errorf("the guest was not asked to power off:\n%s", log)
	}
	l.nothingLeft()
}

// console joins with the end of the log, is one person's at a time, and leaves
// the guest alone.
func TestConsoleComesAndGoes(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.must(0, "up", "hello")
	v := l.onTerminal("console", "hello")
	v.expect(slow, "hello from")
	v.expect(slow, hello.Commands)
	v.send("xyz")
	v.expect(slow, "xyz")
	if r := l.must(1, "console", "hello"); !strings.Contains(r.err, "somebody else is there") || !strings.Contains(r.err, "skep log -f hello") {
		t.Errorf("a second one: %s", r)
	}
	v.send("\r~.")
	v.ends(slow, 0)
	if !v.cooked() || !strings.Contains(v.errs.String(), "the guest goes on") {
		t.Errorf("left: cooked %v, %s", v.cooked(), v.errs)
	}
	if s := l.show("hello").State; s != "running" {
		t.Fatalf("after leaving: %s", s)
	}
	follow := l.live("log", "-f", "hello")
	follow.expect(slow, "xyz")
	v = l.onTerminal("console", "hello")
	v.expect(slow, "xyz") // of the log
	v.send("vwx")
	v.expect(slow, "vwx")
	follow.expect(slow, "vwx")
	v.send("q")
	v.expect(slow, "power off")
	v.ends(slow, 0)
	follow.ends(slow, 0)
	l.nothingLeft()
}

// Of two that start one cell at once, one wins and the other is told.
func TestTwoUpsAtOnce(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	results := make([]result, 4)
	var wg sync.WaitGroup
	for i := range results {
		wg.Add(1)
		go func() { defer wg.Done(); results[i] = l.skep("up", "hello") }()
	}
	wg.Wait()
	won := 0
	for _, r := range results {
		switch {
		case r.code == 0 && !strings.Contains(r.err, "already running"):
			won++
		case r.code != 0:
			t.Errorf("the loser: %s", r)
		}
	}
	if won != 1 {
		t.Errorf("%d of them won", won)
	}
	l.must(0, "down", "hello")
	l.nothingLeft()
}

// A guest that floods its console fills no disk: the log stays within its size
// and keeps the newest.
func TestFloodIsBounded(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("flood", `console { log_size = "16K" }`)
	v := l.live("run", "flood")
	v.expect(slow, hello.Commands)
	v.send("f")
	log := l.path("state/cells/flood/console.log")
	cut, most := false, int64(0)
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if info, err := os.Stat(log); err == nil {
			cut = cut || info.Size() < most
			most = max(most, info.Size())
		}
	}
	// Between two looks a guest writes on: a tenth of a second's worth.
	if !cut || most > 1<<20 {
		t.Errorf("cut: %v, at most %d bytes", cut, most)
	}
	_ = v.cmd.Process.Signal(unix.SIGTERM)
	v.ends(slow, 6) // the flood is unresponsive to the console only
	info, err := os.Stat(log)
	if err != nil || info.Size() > 16<<10 {
		t.Errorf("the log that stays has %d bytes, of 16384 (%v)", info.Size(), err)
	}
	l.nothingLeft()
}

// A guest that is unresponsive is killed after its stop_timeout, and down says so.
func TestStopTimeout(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("unresponsive", `stop_timeout = "1s"`)
	l.must(0, "up", "unresponsive")
	v := l.live("console", "unresponsive")
	v.expect(slow, hello.Commands)
	v.send("h")
	v.expect(slow, "\nhang")
	start := time.Now()
	l.must(0, "down", "unresponsive")
	if d := time.Since(start); d < time.Second || d > 10*time.Second {
		t.Errorf("down took %s", d)
	}
	if r := l.show("unresponsive").Reason; !strings.Contains(r, "did not power off within 1s") {
		t.Errorf("the reason: %s", r)
	}
	l.nothingLeft()
}

// A keeper that hears nothing does not keep its guest alive: kill ends both.
func TestKillOfAStoppedKeeper(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("stuck", "")
	l.must(0, "up", "stuck")
	s := l.show("stuck")
	if err := unix.Kill(s.KeeperPID, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Of two at once neither ends the other, nor what the other does.
	var all sync.WaitGroup
	var said [2]string
	for i := range said {
		all.Add(1)
		go func() {
			defer all.Done()
			r := l.skep("kill", "stuck")
			if r.code != 0 {
				t.Error(r)
			}
			said[i] = r.err
		}()
	}
	all.Wait()
	if want := "(pid " + strconv.Itoa(s.KeeperPID) + ") does not answer"; !strings.Contains(said[0]+said[1], want) {
		t.Errorf("no word of %q\n%s", want, said)
	}
	if !gone(s.KeeperPID) || !gone(s.PID) {
		t.Error("one of them lives")
	}
	l.nothingLeft()

	// And one that cannot be told from its lock is not guessed.
	l.must(0, "up", "stuck")
	s = l.show("stuck")
	_ = unix.Kill(s.KeeperPID, unix.SIGSTOP)
	if err := os.Truncate(l.path("run/locks/stuck"), 0); err != nil {
		t.Fatal(err)
	}
	if r := l.must(1, "kill", "stuck"); !strings.Contains(r.err, "run/locks/stuck") {
		t.Errorf("it does not say which lock: %s", r)
	}
	_ = unix.Kill(s.KeeperPID, unix.SIGCONT)
	l.must(0, "down", "stuck")
	l.nothingLeft()
}

// A name with a newline, or of two hundred characters, is refused at the door
// and shown escaped and short.
func TestStrangeNames(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"a\nb", "a\x1b[31m", strings.Repeat("a", 200), "a/../b.hcl/..", "\xff"} {
		r := l.must(2, "run", name)
		if strings.Count(r.err, "\n") > 2 || len(r.err) > 400 || strings.Contains(r.err, "\x1b") {
			t.Errorf("%q: %s", name, r)
		}
	}
	if _, err := os.Stat(l.path("run")); err == nil {
		t.Error("a run directory was made")
	}
}

// The file that screenshot names by itself is replaced and not written through.
func TestScreenshotReplacesALink(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("shot", "boot = \"hello\"\nmemory = \"16M\"\nscreen {}")
	victim := l.write("victim", "precious\n")
	if err := os.Symlink(victim, l.path("shot.png")); err != nil {
		t.Fatal(err)
	}
	l.must(0, "up", "shot")
	l.must(0, "screenshot", "shot")
	if b, err := os.ReadFile(victim); err != nil || string(b) != "precious\n" {
		t.Errorf("written through the link: %.20q, %v", b, err)
	}
	if info, err := os.Lstat(l.path("shot.png")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("shot.png: %v, %v", info, err)
	}
	l.must(0, "kill", "shot")
	l.nothingLeft()
}
