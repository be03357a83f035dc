package e2e

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// How to leave is said where a terminal joins, and ~? lists what else there is.
func TestHowToLeave(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	v := l.onTerminal("run", "hello")
	v.expect(slow, "commands: ")
	if !strings.Contains(v.errs.String(), "~. at the start of a line stops the guest, ~? lists") {
		t.Errorf("run says nothing of it: %s", v.errs)
	}
	v.send("\r~?")
	v.expect(slow, "~.  stop the guest: press its power button, and kill it after 30s\r\n")
	v.send("~.")
	v.ends(slow, 6)

	l.must(0, "up", "hello")
	v = l.onTerminal("console", "hello")
	v.expect(slow, "commands: ")
	v.send("\r~?")
	v.expect(slow, "~.  leave the console; the guest goes on\r\n")
	if !strings.Contains(v.errs.String(), "~. at the start of a line leaves it, ~? lists") {
		t.Errorf("console says nothing of it: %s", v.errs)
	}
	v.send("~.")
	v.ends(slow, 0)
	l.must(0, "down", "hello")
	l.nothingLeft()
}

// While a guest has time to power off, it is said how long, and what then.
func TestProgressOfDown(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("unresponsive", `stop_timeout = "3s"`)
	l.must(0, "up", "unresponsive")
	if r := l.typed("h", "console", "unresponsive"); r.code != 0 { // hangs, and hears no power button
		t.Fatal(r)
	}
	r := l.must(0, "down", "unresponsive")
	if !strings.Contains(r.err, "skep: waiting for unresponsive to power off: in 2s it is killed\n") {
		t.Errorf("%s", r)
	}
	l.nothingLeft()
}

// console ends after the end of what is piped in, and not before the guest has
// had a moment to answer.
func TestConsoleInputEnds(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.must(0, "up", "hello")
	r := l.typed("xyz", "console", "hello")
	if r.code != 0 || !strings.Contains(r.out, "xyz") || r.err != "" {
		t.Errorf("%s", r)
	}
	began := time.Now()
	if r := l.typed("", "console", "--wait", "3s", "hello"); r.code != 0 || time.Since(began) < 3*time.Second {
		t.Errorf("after %s: %s", time.Since(began), r)
	}
	if s := l.show("hello").State; s != "running" {
		t.Error(s)
	}
	l.must(0, "down", "hello")
	l.nothingLeft()
}

// console and log -f end without a word when whoever reads them has left, even
// where the guest says nothing more.
func TestReaderLeaves(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.must(0, "up", "hello")
	for _, args := range [][]string{{"log", "-f", "hello"}, {"console", "--wait", "1h", "hello"}} {
		cmd := l.command(t.Context(), args...)
		errs := &transcript{}
		cmd.Stderr = errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		l.start(cmd)
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		out.Close()
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if got := code(t, err); got != 0 || errs.String() != "" {
				t.Errorf("%v: exit %d, %s", args, got, errs)
			}
		case <-time.After(slow):
			_ = cmd.Process.Kill()
			t.Errorf("%v does not notice", args)
		}
	}
	l.must(0, "down", "hello")
	l.nothingLeft()
}

// Every start has its line in the log, and --last begins there.
func TestLogMarksStarts(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	for range 2 {
		if r := l.typed("q", "run", "hello"); r.code != 0 {
			t.Fatal(r)
		}
	}
	if all := l.must(0, "log", "hello").out; strings.Count(all, "[skep: started ") != 2 || strings.Count(all, "hello from") != 2 {
		t.Error(all)
	}
	last := l.must(0, "log", "--last", "hello").out
	if !strings.HasPrefix(last, "[skep: started ") || strings.Count(last, "hello from") != 1 {
		t.Error(last)
	}
	if some := l.must(0, "logs", "--tail", "1", "hello").out; strings.TrimSpace(some) != "power off" {
		t.Errorf("%q", some)
	}
}

// When down --all and kill --all come back there is no keeper and no hypervisor
// left, not even for a moment.
func TestNoProcessAfterDown(t *testing.T) {
	needCells(t)
	const cells = 24
	l := newLabOf(t, cells)
	for i := range cells {
		l.cell(fmt.Sprintf("c%d", i), `accel = "tcg"`)
	}
	for _, end := range [][]string{{"down", "--all"}, {"kill", "--all"}} {
		l.must(0, "up", "--all")
		var pids []int
		for i := range cells {
			s := l.show(fmt.Sprintf("c%d", i))
			pids = append(pids, s.PID, s.KeeperPID)
		}
		l.must(0, end...)
		for _, pid := range pids {
			if err := syscall.Kill(pid, 0); err == nil && !zombie(pid) {
				t.Errorf("after %v process %d is still there", end, pid)
			}
		}
	}
	l.nothingLeft()
}

// zombie says whether a process has ended and waits to be reaped by init.
func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.HasPrefix(string(b[strings.LastIndexByte(string(b), ')')+1:]), " Z")
}

// boot = "bios" is SeaBIOS: a disk with a boot sector boots, of any model, and
// the firmware's own words are on the console.
func TestBIOS(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	// Writes a text to the first serial port and sleeps.
	sector := append([]byte{
		0x31, 0xc0, // xor ax, ax
		0x8e, 0xd8, // mov ds, ax
		0xbe, 0x16, 0x7c, // mov si, 7c16h   the text
		0xfc,       // cld
		0xac,       // next: lodsb
		0x84, 0xc0, // test al, al
		0x74, 0x06, // jz sleep
		0xba, 0xf8, 0x03, // mov dx, 3f8h
		0xee,       // out dx, al
		0xeb, 0xf5, // jmp next
		0xf4,       // sleep: hlt
		0xeb, 0xfd, // jmp sleep
	}, "booted from a disk\r\n\x00"...)
	image := make([]byte, 1<<20)
	copy(image, sector)
	image[510], image[511] = 0x55, 0xaa
	for _, model := range []string{"virtio", "ahci", "nvme"} {
		l.write(model+".img", string(image))
		l.cell(model, fmt.Sprintf("accel = \"tcg\"\nboot = \"bios\"\nmemory = \"64M\"\nstop_timeout = \"1s\"\ndisk \"root\" {\n  file = %q\n  model = %q\n}", l.path(model+".img"), model))
		v := l.live("run", model)
		v.expect(boot, "SeaBIOS")
		v.expect(boot, "booted from a disk")
		l.must(0, "audit", model)
		l.must(0, "kill", model)
		v.ends(slow, 6)
	}
	l.nothingLeft()
	if r := l.must(2, "plan", "--os", "freebsd", "ahci"); !strings.Contains(r.err, "bhyve has none") {
		t.Errorf("%s", r)
	}
}

// Who has changed the file of a cell that runs hears that it has no effect yet:
// from up, which leaves the cell alone, and from ps and show.
func TestFileDiffers(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	says := func(args ...string) string {
		t.Helper()
		r := l.must(0, args...)
		return r.out + r.err
	}
	differs := func(want bool, what, hint string) {
		t.Helper()
		for _, args := range [][]string{{"up", "web"}, {"ps"}, {"show", "web"}} {
			got := says(args...)
			if said := strings.Contains(got, "web.hcl differs from what runs: "+what); said != want {
				t.Errorf("skep %s, want %v\n%s", strings.Join(args, " "), want, got)
			}
		}
		up := l.must(0, "up", "web").err
		if !strings.Contains(up, "web is already running") || strings.Contains(up, hint) != want {
			t.Errorf("%s", up)
		}
		if json := l.must(0, "show", "--json", "web").out; strings.Contains(json, `"file_differs"`) != want {
			t.Errorf("%s", json)
		}
	}
	l.cell("web", "stop_timeout = \"9s\"")
	l.must(0, "up", "web")
	l.cell("web", "# the same\nstop_timeout = \"9s\"\ncpus = 1")
	differs(false, "", "applies it")
	l.cell("web", "stop_timeout = \"8s\"\ndisk \"root\" {\n  file = \"web.img\"\n  size = \"1M\"\n}")
	differs(true, "stop_timeout, disk.root", "skep restart web applies it")
	if s := l.show("web"); s.State != "running" {
		t.Error(s)
	}
	// Another file of the same name is not what restart reads.
	other := l.write("other.hcl", "cell \"web\" {\n  cpus = 2\n}\n")
	if up := l.must(0, "up", other).err; !strings.Contains(up, other+" differs from what runs: cpus, stop_timeout") ||
		!strings.Contains(up, "skep down web and then skep up "+other+" apply it") {
		t.Errorf("%s", up)
	}
	l.must(0, "restart", "web")
	differs(false, "", "applies it")
	l.must(0, "down", "web")
	// What does not run is what its file describes.
	l.cell("web", "")
	if got := says("ps", "-a"); strings.Contains(got, "differs") {
		t.Errorf("%s", got)
	}
	l.nothingLeft()
}
