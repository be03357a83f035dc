package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// pane is a real terminal: a shell in tmux(1), of a server of its own.
type pane struct {
	l      *lab
	socket string
}

// inTmux starts a shell in the lab. Its title is "mine", its prompt "$ ".
func (l *lab) inTmux() *pane {
	l.t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		l.t.Skip("needs tmux: apt install tmux")
	}
	p := &pane{l, l.path("tmux.sock")}
	l.t.Cleanup(func() {
		_ = exec.Command("tmux", "-S", p.socket, "kill-server").Run()
		// It ends a moment later, and its shell after it.
		for deadline := time.Now().Add(slow); len(holding(p.socket)) > 0 && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
	})
	cmd := exec.Command("tmux", "-u", "-S", p.socket, "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "PS1='$ ' exec sh")
	cmd.Dir = l.dir
	cmd.Env = append(append(os.Environ(), l.env...), "LC_ALL=C.UTF-8", "ENV=", "HISTFILE=")
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("%v: %s", err, out)
	}
	p.typed(`printf '\033]2;mine\033\\'; clear`)
	p.until("a shell", func() bool { return p.says("#{pane_title}") == "mine" })
	return p
}

// holding are the processes of a tmux server, and the shells in it, which have
// its socket in their environment.
func holding(socket string) (pids []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		cmdline, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		environ, _ := os.ReadFile("/proc/" + e.Name() + "/environ")
		if strings.Contains(string(cmdline), socket) || strings.Contains(string(environ), "TMUX="+socket) {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

func (p *pane) tmux(args ...string) string {
	p.l.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-u", "-S", p.socket}, args...)...).CombinedOutput()
	if err != nil {
		p.l.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return strings.TrimRight(string(out), "\n")
}

// typed types a line.
func (p *pane) typed(line string) {
	p.tmux("send-keys", "-l", line)
	p.tmux("send-keys", "Enter")
}

// says is what tmux knows of the terminal.
func (p *pane) says(format string) string { return p.tmux("display-message", "-p", format) }

// all is what is on the screen and above it.
func (p *pane) all() string { return p.tmux("capture-pane", "-p", "-J", "-S", "-") }

// last is the last line of it, without spaces at its end.
func (p *pane) last() string {
	all := strings.TrimRight(p.all(), " \n")
	return all[strings.LastIndexByte(all, '\n')+1:]
}

func (p *pane) until(what string, so func() bool) {
	p.l.t.Helper()
	for deadline := time.Now().Add(boot); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.l.t.Fatalf("no %s within %s\n%s", what, boot, p.all())
		}
	}
}

// state is all of the terminal that a guest could change and tmux can tell.
const paneState = "wrap #{wrap_flag} alternate #{alternate_on} cursor #{cursor_flag} insert #{insert_flag} keypad #{keypad_flag} " +
	"keys #{keypad_cursor_flag} origin #{origin_flag} region #{scroll_region_upper}-#{scroll_region_lower} " +
	"mouse #{mouse_any_flag}#{mouse_standard_flag}#{mouse_button_flag}#{mouse_all_flag}#{mouse_sgr_flag} title #{pane_title}"

// shell waits for the shell after a command and looks at the terminal: as it
// was, and nothing typed at the prompt that nobody typed.
func (p *pane) shell(command, before string) {
	p.l.t.Helper()
	p.until("prompt", func() bool { return p.says("#{pane_current_command}") == "sh" && strings.HasSuffix(p.last(), "$") })
	time.Sleep(300 * time.Millisecond) // an answer that is late
	if got := p.says(paneState); got != before {
		p.l.t.Errorf("%s leaves the terminal as\n%s, it was\n%s", command, got, before)
	}
	if last := p.last(); !strings.HasSuffix(last, "$") {
		p.l.t.Errorf("%s has typed into the shell: %q", command, last)
	}
	// Colours and line drawing do not stay either.
	p.typed("echo plain_lqqqk")
	p.until("echo", func() bool { return strings.Contains(p.all(), "\nplain_lqqqk") })
	shown := p.tmux("capture-pane", "-p", "-e")
	if at := strings.LastIndex(shown, "\nplain_lqqqk"); at < 0 {
		p.l.t.Errorf("%s leaves colours or another character set:\n%q", command, shown)
	}
}

// hostile is what a guest could leave in its log: a title, questions, and all
// that changes a terminal for good.
const hostile = "\x1b]2;EVIL\x07\x1b[6n\x1b[c\x1bP$qm\x1b\\\x1b]52;c;?\x07\x1b]11;?\x07\x05\x1b[?7l\x1b[?25l\x1b[?1049h" +
	"\x1b[?1003h\x1b[?1006h\x1b[?1h\x1b=\x1b[4h\x1b[3;9r\x1b[?6h\x1b(0\x0e\x1b[31;44;7m" + "end of it\r\n\x1b[6n"

// A log is no program for the terminal of whoever reads it.
func TestLogOfAHostileGuest(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.write("state/cells/evil/console.log", hostile)
	p := l.inTmux()
	before := p.says(paneState)
	p.typed("skep=" + skep)
	p.typed("$skep log evil")
	p.shell("skep log", before)
	if all := p.all(); !strings.Contains(all, `\x1b]2;EVIL\x07\x1b[6n`) || !strings.Contains(all, "end of it") {
		t.Errorf("it is not shown:\n%s", all)
	}
	p.typed("clear; $skep log --raw evil")
	p.shell("skep log --raw", before)
	// To a file goes what the guest wrote.
	if r := l.skep("log", "evil"); r.out != hostile {
		t.Errorf("%s", r)
	}
}

// What an old log asks the terminal is not answered into the guest, and the
// console leaves the terminal as it was.
func TestConsoleOfAHostileGuest(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	p := l.inTmux()
	if r := l.skep("up", "hello"); r.code != 0 {
		t.Fatalf("%s", r)
	}
	for deadline := time.Now().Add(slow); !strings.Contains(l.skep("log", "hello").out, "commands:"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the guest says nothing")
		}
	}
	f, err := os.OpenFile(l.path("state/cells/hello/console.log"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Answers begin with ESC [ and so would the guest's echo of them.
	if _, err := f.WriteString("\x1b]2;EVIL\x07\x1b[?7l\x1b[c\x1b[6n\x1b[?6n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	size := func() int64 {
		info, err := os.Stat(l.path("state/cells/hello/console.log"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	was := size()
	before := p.says(paneState)
	p.typed("skep=" + skep)
	for _, command := range []string{"$skep console hello", "$skep console --raw hello"} {
		p.typed("clear; " + command)
		p.until("console", func() bool {
			return p.says("#{pane_current_command}") == "skep" && strings.Contains(p.all(), "commands:")
		})
		time.Sleep(500 * time.Millisecond)
		if now := size(); now != was {
			b, _ := os.ReadFile(l.path("state/cells/hello/console.log"))
			t.Errorf("%s has typed into the guest, which echoes: %q", command, b)
			was = now
		}
		p.tmux("send-keys", "-l", "\r~.")
		p.shell(command, before)
		was = size() // the return that was typed
	}
	if r := l.skep("down", "hello"); r.code != 0 {
		t.Errorf("%s", r)
	}
}

// The first line that SeaBIOS used to wipe is there, and so is what was on the
// terminal before; what the guest has done to it is undone.
func TestTerminalAfterRun(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	l.cell("kernel", "accel = \"tcg\"\nmemory = \"192M\"\n"+kernelBlock(k))
	p := l.inTmux()
	p.typed("echo before")
	before := p.says(paneState)
	p.typed(skep + " run kernel")
	p.until("guest", func() bool { return strings.Contains(p.all(), "guest: ready") })
	p.typed("off")
	p.shell("skep run", before)
	all := p.all()
	for _, want := range []string{"\nbefore\n", "skep: kernel: jailed as uid ", "SeaBIOS (version", "guest: ready"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q was wiped:\n%s", want, all)
		}
	}
	// The questions of a guest that is gone are not answered into the shell: the
	// built-in guest says what it is told.
	p.typed(`clear; printf '\033c\033[?7l\033[2J\033[?25l\033[31m\033[6n\033[c\033[6nq' | ` + skep + " run hello")
	p.shell("skep run hello", before)
	if all := p.all(); !strings.Contains(all, "skep: hello: jailed as uid ") {
		t.Errorf("the first line was wiped:\n%s", all)
	}
}
