package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// badInput is one way to ask for what cannot be had.
type badInput struct {
	name  string
	body  string       // of the cell "bad"; $D is the lab's directory
	make  func(l *lab) // what has to be there
	code  int          // 2 where it is 0
	error string       // part of the error line
	hint  string       // part of a hint line; "" where the error line leaves no question
	also  func(t *testing.T, l *lab, r result)
}

// Bad input ends with a clear error, a hint and its exit status, before or
// while a cell starts; nothing is left behind, and no file of anybody's is
// changed or lost.
func TestBadInput(t *testing.T) {
	needCells(t)
	for _, list := range [][]badInput{badFiles, badDisks, badBoots, badNetworks} {
		for _, b := range list {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				l.write("d/keep.img", strings.Repeat("keep me ", 64<<10/8))
				if b.make != nil {
					b.make(l)
				}
				l.cell("bad", strings.ReplaceAll(b.body, "$D", l.path("d")))
				before := contents(t, l.path("d"))
				want := b.code
				if want == 0 {
					want = 2
				}
				r := l.skep("run", "bad")
				if r.code != want {
					t.Errorf("exit %d, want %d", r.code, want)
				}
				checkWords(t, r, b.error, b.hint)
				if r.out != "" {
					t.Errorf("standard output: %q", r.out)
				}
				// up says the same, in the same words and with the same status.
				if u := l.skep("up", "bad"); u.code != want || !strings.Contains(u.err, b.error) {
					t.Errorf("up: want exit %d and %q\n%s", want, b.error, u)
				}
				if after := contents(t, l.path("d")); after != before {
					t.Errorf("files were changed\n%s\n%s", before, after)
				}
				if b.also != nil {
					b.also(t, l, r)
				}
				l.nothingLeft()
			})
		}
	}
}

// checkWords wants an error line and a hint line that say these things, and no
// chain of failures.
func checkWords(t *testing.T, r result, wrong, hint string) {
	t.Helper()
	errors, hints := "", ""
	for line := range strings.Lines(r.err) {
		switch {
		case strings.HasPrefix(line, "skep: error: "):
			errors += line
		case strings.HasPrefix(line, "skep: hint: "):
			hints += line
		}
	}
	if !strings.Contains(errors, wrong) || !strings.Contains(hints, hint) {
		t.Errorf("want the error %q and the hint %q\n%s", wrong, hint, r)
	}
	for line := range strings.Lines(errors) {
		if strings.Count(strings.ReplaceAll(line, ": cannot assign requested address", ""), ": cannot ") > 1 {
			t.Errorf("an error says cannot more than once:\n%s", r)
		}
	}
}

// contents is every file below a directory with its kind, mode and bytes.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		sum := ""
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			h := sha256.Sum256(data)
			sum = hex.EncodeToString(h[:8])
		}
		fmt.Fprintln(&b, path, info.Mode(), sum)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var badFiles = []badInput{
	{name: "unknown attribute", body: `memry = "1G"`, error: "bad.hcl:2:1: unknown attribute memry", hint: "did you mean memory?"},
	{name: "five at once", body: "cpus = 0\nmemory = 12\nboot = \"boot0\"\nnonsense = 1\nnic \"a\" {}", error: "bad.hcl:6:", hint: `did you mean "12G"?`,
		also: func(t *testing.T, _ *lab, r result) {
			if n := strings.Count(r.err, "skep: error: "); n != 5 {
				t.Errorf("%d errors, want all 5\n%s", n, r)
			}
		}},
	{name: "no processors", body: "cpus = 0", error: "bad.hcl:2:8: invalid cpus 0: must be at least 1"},
	{name: "absurd processors", body: "cpus = 100000", error: "at most 255", hint: "all a virtual machine can address"},
	{name: "no memory", body: `memory = "0"`, error: "bad.hcl:2:10: invalid memory"},
	{name: "absurd memory", body: `memory = "9999999T"`, error: "more than any machine holds"},
	{name: "more memory than the host", body: `memory = "60T"`, error: "the host has", hint: "lower memory in the cell file"},
	{name: "two cells in one file", body: "}\ncell \"a/b\" {", error: "second cell block", hint: "give each a file of its own"},
}

var badDisks = []badInput{
	{name: "disk missing", body: disk("none.img", ""), error: "it does not exist", hint: `size = "20G"`},
	{name: "disk is a directory", body: disk("", ""), error: "it is a directory", hint: "a disk is a regular file"},
	{name: "disk is a FIFO", make: func(l *lab) { l.try(unix.Mkfifo(l.path("d/fifo"), 0o600)) }, body: disk("fifo", ""), error: "it is not a regular file", hint: "a disk is a regular file"},
	{name: "disk is a symlink into etc", make: func(l *lab) { l.try(os.Symlink("/etc/passwd", l.path("d/link"))) }, body: disk("link", ""), error: "it is a symbolic link", hint: "/etc/passwd"},
	{name: "disk is a device", body: `disk "d" { file = "/dev/zero" }`, error: "it is a device node", hint: "device = "},
	{name: "disk is empty", make: func(l *lab) { l.write("d/empty.img", "") }, body: disk("empty.img", ""), error: "it is empty", hint: "truncate -s"},
	{name: "disk is not a whole number of sectors", make: func(l *lab) { l.write("d/odd.img", "hello") }, body: disk("odd.img", ""), error: "it is truncated", hint: "512-byte sectors"},
	{name: "disk is smaller than its partition table", make: func(l *lab) { l.write("d/gpt.img", gptOf(1<<30)) }, body: disk("gpt.img", ""), error: "it is truncated: its partition table says", hint: "fetch the image again"},
	{name: "disk is used twice", body: disk("keep.img", "") + "\ndisk \"e\" { file = \"$D/keep.img\" }", error: "invalid file: already used by another disk on line 3"},
	{name: "qcow2 with a backing file", make: func(l *lab) { l.write("d/q", qcow2("backing")) }, body: disk("q", "qcow2"), error: "it has a backing file", hint: "qemu-img convert"},
	{name: "qcow2 with a data file", make: func(l *lab) { l.write("d/q", qcow2("data")) }, body: disk("q", "qcow2"), error: "its data in another file", hint: "qemu-img convert"},
	{name: "qcow2 truncated", make: func(l *lab) { l.write("d/q", qcow2("")[:70000]) }, body: disk("q", "qcow2"), error: "it is truncated", hint: "fetch the image again"},
	{name: "qcow2 called raw", make: func(l *lab) { l.write("d/q.qcow2", qcow2("")) }, body: disk("q.qcow2", ""), error: "it is a qcow2 image", hint: `format = "qcow2"`},
	{name: "raw called qcow2", body: disk("keep.img", "qcow2"), error: "it is not a qcow2 image", hint: `format = "raw"`},
	{name: "ahci that is read-only", body: "disk \"d\" {\n file = \"$D/keep.img\"\n model = \"ahci\"\n read_only = true\n}", error: "read-only with the model ahci", hint: "virtio"},
	{name: "iso missing", body: `disk "cd" { iso = "$D/none.iso" }`, error: "it does not exist", hint: "check the path"},
}

var badBoots = []badInput{
	{name: "firmware missing", body: `boot = "$D/none.fd"`, error: "read the firmware", hint: "check the path"},
	{name: "firmware is a directory", body: `boot = "$D"`, error: "read the firmware", hint: "check the path"},
	{name: "firmware too large", make: func(l *lab) { l.write("d/big.fd", strings.Repeat("x", 9<<20)) }, body: `boot = "$D/big.fd"`, error: "it has 9437184 bytes", hint: "8 MiB at most"},
	{name: "firmware of a strange size", make: func(l *lab) { l.write("d/odd.fd", "hello") }, body: `boot = "$D/odd.fd"`, error: "it has 5 bytes", hint: "4096-byte pages"},
	{name: "kernel missing", body: `kernel { image = "$D/none" }`, error: "read the kernel", hint: "check the path"},
	{name: "kernel is none", body: `kernel { image = "$D/keep.img" }`, error: "it is no kernel", hint: "bzImage"},
	{name: "initrd missing", make: func(l *lab) { l.write("d/k", bzImage()) }, body: "kernel {\nimage = \"$D/k\"\ninitrd = \"$D/none\"\n}", error: "read the initrd", hint: "check the path"},
}

var badNetworks = []badInput{
	{name: "bridge missing", body: `nic "lan" { bridge = "nosuchbr" }`, error: "use bridge nosuchbr", hint: "ip link add nosuchbr type bridge"},
	{name: "bridge is none", body: `nic "lan" { bridge = "lo" }`, error: "it is not a bridge", hint: "bridge"},
	{name: "tap missing", body: `nic "lan" { tap = "nosuchtap" }`, error: "use tap nosuchtap", hint: "ip tuntap add"},
	{name: "port of nobody's", body: `screen { listen = "127.0.0.1:99999" }`, error: "the port must be a number from 1 to 65535"},
	{name: "address of another host", body: `screen { listen = "192.0.2.1:5900" }`, error: "show the screen on 192.0.2.1:5900", hint: "ip address shows"},
	{name: "a screen that waits", body: `screen { wait = true }`, error: "wait for a viewer", hint: "leave wait out"},
	{name: "password file missing", body: `screen { password_file = "$D/none" }`, error: "read the screen's password", hint: "check the path"},
	{name: "password file empty", make: func(l *lab) { l.write("d/pw", "\n") }, body: `screen { password_file = "$D/pw" }`, error: "the file is empty", hint: "first line"},
}

func disk(name, format string) string {
	s := "disk \"d\" {\n  file = \"$D/" + name + "\"\n"
	if format != "" {
		s += "  format = \"" + format + "\"\n"
	}
	return s + "}"
}

// What of a cell file only the host can call wrong is said in one pass as well,
// each with its line; nothing is taken for it.
func TestAllMistakesOfAHost(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	l.try(err)
	defer taken.Close()
	l.write("d/keep.img", strings.Repeat("keep me ", 64<<10/8))
	l.try(os.Link(l.path("d/keep.img"), l.path("d/same.img")))
	l.cell("bad", strings.NewReplacer("$D", l.path("d"), "$PORT", taken.Addr().String()).Replace(`memory = "900G"
kernel {
  image  = "$D/none"
  initrd = "$D/none either"
}
disk "a" { file = "$D/keep.img" }
disk "b" { file = "$D/same.img" }
disk "c" { iso = "$D/none.iso" }
disk "d" {
  file = "$D/new.img"
  size = "1G"
}
disk "e" {
  file = "$D/no/new.img"
  size = "1G"
}
nic "lan" { bridge = "nosuchbr" }
nic "wan" { tap = "nosuchtap" }
screen {
  listen        = "$PORT"
  password_file = "$D/none.pw"
}`))
	before := contents(t, l.path("d"))
	want := []string{
		"900G of memory", ":2:", "read the kernel", ":4:", "read the initrd", ":5:", "the same file as disk \"a\"", ":8:",
		"disk \"c\"", ":9:", "use bridge nosuchbr", ":18:", "use tap nosuchtap", ":19:",
		"address already in use", ":21:", "the screen's password", ":22:", "disk \"e\"", ":15:",
	}
	for _, verb := range []string{"run", "up"} {
		r := l.must(2, verb, "bad")
		for i := 0; i < len(want); i += 2 {
			if !regexp.MustCompile(regexp.QuoteMeta(want[i]) + ".*" + want[i+1]).MatchString(r.err) {
				t.Errorf("%s: no word of %s at %s", verb, want[i], want[i+1])
			}
		}
		if n := strings.Count(r.err, "skep: error: cannot "); n != len(want)/2 {
			t.Errorf("%s: %d mistakes, want %d\n%s", verb, n, len(want)/2, r)
		}
	}
	if after := contents(t, l.path("d")); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
	l.nothingLeft()
}

// A port that is in use belongs to somebody else, and stays theirs.
func TestPortInUse(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	l.try(err)
	defer taken.Close()
	l.cell("bad", fmt.Sprintf("screen { listen = %q }", taken.Addr()))
	r := l.must(2, "run", "bad")
	checkWords(t, r, "address already in use", "choose another port")
	l.nothingLeft()
}

// A disk in use by another cell is that cell's; both may only read it. The one
// that has it goes on.
func TestDiskInUse(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.write("d.img", strings.Repeat("x", 1<<20))
	l.cell("one", fmt.Sprintf("disk \"d\" { file = %q }", l.path("d.img")))
	l.cell("two", fmt.Sprintf("disk \"other\" { file = %q }", l.path("d.img")))
	l.must(0, "up", "one")
	r := l.must(2, "run", "two")
	checkWords(t, r, "in use by the cell one", "read_only = true")
	if s := l.show("one").State; s != "running" {
		t.Errorf("the one that has it: %s", s)
	}
	// The lock is the hypervisor's: it holds while no keeper lives.
	_ = unix.Kill(l.show("one").KeeperPID, unix.SIGKILL)
	l.must(2, "run", "two")
	l.must(0, "down", "one")
	l.nothingLeft()
	for _, n := range []string{"one", "two"} {
		l.cell(n, fmt.Sprintf("disk \"d\" {\n file = %q\n read_only = true\n}", l.path("d.img")))
	}
	l.must(0, "up", "one", "two")
	l.must(0, "down", "--all")
	l.nothingLeft()
}

// A full disk and a read-only one are the host's fault; a cell that cannot
// write its journal does not start, and leaves nothing.
func TestStateDirectoryFullOrReadOnly(t *testing.T) {
	needCells(t)
	for _, c := range []struct{ name, options, error string }{
		{"full", "size=64k,mode=0700", "no space left on device"},
		{"read-only", "ro", "read-only file system"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			for _, dir := range []string{"state", "run"} {
				where := l.path(dir)
				l.try(os.Mkdir(where, 0o700))
				options := uintptr(0)
				data := c.options
				if data == "ro" {
					options, data = unix.MS_RDONLY, "mode=0700"
				}
				if err := unix.Mount("test", where, "tmpfs", options, data); err != nil {
					t.Skip("needs to mount a tmpfs: " + err.Error())
				}
				unmount := func() { _ = unix.Unmount(where, unix.MNT_DETACH) }
				defer unmount()
				if c.name == "full" {
					_ = os.WriteFile(filepath.Join(where, "filler"), make([]byte, 1<<20), 0o600)
				}
			}
			if r := l.must(1, "doctor"); !strings.Contains(r.out, "directories") || !strings.Contains(r.out, c.error) {
				t.Errorf("doctor does not say so\n%s", r)
			}
			for _, verb := range []string{"run", "up"} {
				r := l.skep(verb, "hello")
				if r.code != 1 {
					t.Errorf("%s: exit %d, want 1", verb, r.code)
				}
				checkWords(t, r, c.error, "SKEP_STATE_DIR")
			}
			for _, p := range l.processes() {
				t.Errorf("process %d is left: %s", p.pid, p.args)
			}
			for _, s := range l.left() {
				if strings.Contains(s, "control group") {
					t.Error(s)
				}
			}
		})
	}
}
