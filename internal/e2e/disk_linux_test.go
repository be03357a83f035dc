package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A disk is removed by disk rm alone: when it is named or meant by the cell's
// name, confirmed, and not in use.
func TestDiskRemove(t *testing.T) {
	needCells(t)
	l := newLab(t)
	a, b, iso := l.path("a.img"), l.path("b.img"), l.write("cd.iso", strings.Repeat("i", 2048))
	body := fmt.Sprintf("accel = \"tcg\"\ndisk \"a\" {\n  file = %q\n  size = \"1M\"\n}\ndisk \"b\" {\n  file = %q\n  size = \"1M\"\n}\ndisk \"cd\" {\n  iso = %q\n}", a, b, iso)
	l.cell("d", body)
	there := func(want ...string) {
		t.Helper()
		for _, path := range []string{a, b, iso} {
			_, err := os.Stat(path)
			wanted := strings.Contains(strings.Join(want, " "), path)
			if (err == nil) != wanted {
				t.Errorf("%s: there %v, want %v", path, err == nil, wanted)
			}
		}
	}
	l.must(0, "up", "d")
	if r := l.must(2, "disk", "rm", "--yes", "d"); !strings.Contains(r.err, "it is running") {
		t.Errorf("of a cell that runs: %s", r)
	}
	l.must(0, "down", "d")
	for _, answer := range []string{"", "y\n", "yes\n", "e\n"} {
		if r := l.typed(answer, "disk", "rm", "d"); r.code != 2 || !strings.Contains(r.err, "nothing is removed") {
			t.Errorf("the answer %q: %s", answer, r)
		}
	}
	l.must(2, "disk", "rm", "--yes", "d", "nosuch")
	if r := l.must(2, "disk", "rm", "--yes", "d", "cd"); !strings.Contains(r.err, "ISO image") {
		t.Errorf("%s", r)
	}
	there(a, b, iso)

	// Another cell has it, running or not.
	l.cell("e", fmt.Sprintf("accel = \"tcg\"\ndisk \"x\" {\n  file = %q\n}", a))
	if r := l.must(2, "disk", "rm", "--yes", "d", "a"); !strings.Contains(r.err, "the cell e has it, too") {
		t.Errorf("%s", r)
	}
	// Even where its file does not say so any more.
	l.must(0, "up", "e")
	l.cell("e", "accel = \"tcg\"")
	if r := l.must(2, "disk", "rm", "--yes", "d", "a"); !strings.Contains(r.err, "the cell e has it, too") {
		t.Errorf("%s", r)
	}
	l.must(0, "down", "e")
	there(a, b, iso)

	if r := l.typed("d\n", "disk", "rm", "d", "a"); r.code != 0 || r.out != a+"\n" {
		t.Errorf("%s", r)
	}
	there(b, iso)
	l.must(0, "disk", "rm", "--yes", "d")
	there(iso)
	l.must(0, "disk", "rm", "--yes", "d") // nothing is left to remove
	l.must(0, "up", "d")                  // and they are made again
	there(a, b, iso)
	l.must(0, "kill", "d")
	l.must(0, "log", "d")
	l.nothingLeft()
}

// QEMU's own programs are kept off the images of a running cell, whether its
// keeper lives or not, and a cell off those that QEMU has.
func TestImagesAreLocked(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	raw, qcow2 := l.write("a.img", strings.Repeat("\x00", 1<<20)), l.path("b.qcow2")
	tool := func(words string, argv ...string) {
		t.Helper()
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if (err != nil) != (words != "") || !strings.Contains(string(out), words) {
			t.Errorf("%s: %v, %s; want %q", strings.Join(argv, " "), err, out, words)
		}
	}
	tool("", "qemu-img", "create", "-q", "-f", "qcow2", qcow2, "1M")
	l.cell("d", fmt.Sprintf("accel = \"tcg\"\nboot = \"uefi\"\ndisk \"a\" { file = %q }\ndisk \"b\" {\n  file = %q\n  format = \"qcow2\"\n}", raw, qcow2))
	l.must(0, "up", "d")
	const write, shared = `Failed to get "write" lock`, `Failed to get shared "write" lock`
	locked := func() {
		t.Helper()
		tool(shared, "qemu-img", "info", qcow2)
		tool(write, "qemu-img", "snapshot", "-c", "s", qcow2)
		tool(write, "qemu-img", "resize", "-f", "raw", raw, "2M")
		tool(write, "qemu-io", "-f", "raw", "-c", "write 0 512", l.path("state/cells/d/uefi-vars.fd"))
		tool(write, "qemu-system-x86_64", "-display", "none", "-S", "-drive", "format=raw,file="+raw)
	}
	locked()
	if err := syscall.Kill(l.show("d").KeeperPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	locked()
	l.must(0, "down", "d")
	tool("", "qemu-img", "info", qcow2)

	q := exec.Command("qemu-system-x86_64", "-display", "none", "-S", "-drive", "format=raw,file="+raw)
	l.try(q.Start())
	defer func() { _ = q.Process.Kill(); _ = q.Wait() }()
	// It looks at an image before a device has it, with fewer locks.
	eventually(t, 30*time.Second, "QEMU has locked it for writing", func() bool {
		out, _ := exec.Command("sh", "-c", fmt.Sprintf("cat /proc/%d/fdinfo/*", q.Process.Pid)).Output()
		return locksByte(string(out), 101)
	})
	if r := l.must(2, "up", "d"); !strings.Contains(r.err, fmt.Sprintf("it is in use by qemu-system-x86 (pid %d)", q.Process.Pid)) {
		t.Errorf("the holder is not named: %s", r)
	}
	l.nothingLeft()
}

// locksByte says whether proc(5)'s list of a descriptor's locks has one of an open file description on that byte.
func locksByte(fdinfo string, at int) bool {
	for line := range strings.Lines(fdinfo) {
		var first, last int
		f := strings.Fields(line)
		if len(f) < 9 || f[0] != "lock:" || f[2] != "OFDLCK" {
			continue
		}
		if _, err := fmt.Sscan(f[7]+" "+f[8], &first, &last); err == nil && first <= at && at <= last {
			return true
		}
	}
	return false
}
