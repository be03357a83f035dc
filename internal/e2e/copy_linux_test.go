package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A copy of a running cell's disk is the disk as it was at one moment: whatever
// was written before is in it, and the guest goes on. It is made for nobody who
// has hung up, and over nothing that is there.
func TestDiskCopy(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	l.cell("c", `accel = "tcg"
memory = "256M"
disk "root" {
  file = "`+l.path("d.qcow2")+`"
  format = "qcow2"
  size = "64M"
}
`+kernelBlock(k))
	l.must(0, "up", "c")
	c := l.console("c")
	c.expect(boot, "guest: ready")
	c.send("write first\n")
	c.expect(slow, "guest: written")
	to := l.path("copy.qcow2")
	if r := l.must(0, "disk", "copy", "c", "root", to); !strings.Contains(r.err, "was paused for") {
		t.Errorf("the pause is not told: %s", r)
	}
	c.send("write second\n")
	c.expect(slow, "guest: written")
	if s := l.show("c").State; s != "running" {
		t.Errorf("after the copy it is %s", s)
	}
	tool := func(argv ...string) []byte {
		t.Helper()
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v, %s", argv, err, out)
		}
		return out
	}
	tool("qemu-img", "check", to)
	tool("qemu-img", "convert", "-O", "raw", to, l.path("copy.raw"))
	if b, err := os.ReadFile(l.path("copy.raw")); err != nil || !bytes.Contains(b, []byte("first")) || bytes.Contains(b, []byte("second")) {
		t.Errorf("the copy does not hold what was there then: %v", err)
	}

	// While the guest writes without a pause between.
	c.send("pump 40\n")
	c.expect(slow, "guest: pump begins")
	for _, to := range []string{"one.qcow2", "two.qcow2"} {
		l.must(0, "disk", "copy", "c", "root", l.path(to))
		tool("qemu-img", "check", l.path(to))
	}
	c.expect(slow, "guest: pumped in")
	if r := l.must(2, "disk", "copy", "c", "root", to); !strings.Contains(r.err, "already exists") {
		t.Errorf("%s", r)
	}
	l.must(2, "disk", "copy", "c", "nosuch", l.path("x"))
	l.try(os.Rename(l.path("d.qcow2"), l.path("moved")))
	l.write("d.qcow2", strings.Repeat("x", 512))
	if r := l.must(2, "disk", "copy", "c", "root", l.path("x")); !strings.Contains(r.err, "has taken its place") {
		t.Errorf("%s", r)
	}
	l.try(os.Rename(l.path("moved"), l.path("d.qcow2")))

	// What only a cell that does not run allows.
	l.must(2, "disk", "grow", "c", "root", "128M")
	l.must(0, "down", "c")
	l.must(0, "disk", "copy", "c", "root", l.path("still.qcow2"))
	if !bytes.Equal(tool("sha256sum", l.path("d.qcow2"))[:64], tool("sha256sum", l.path("still.qcow2"))[:64]) {
		t.Error("the copy of a cell that does not run is another")
	}
	l.must(0, "disk", "grow", "c", "root", "128M")
	l.must(2, "disk", "grow", "c", "root", "64M")
	if out := tool("qemu-img", "info", l.path("d.qcow2")); !bytes.Contains(out, []byte("128 MiB")) {
		t.Errorf("%s", out)
	}
	l.nothingLeft()
}

// Whoever has the guest paused and dies lets it go on.
func TestDiskCopyThatIsKilled(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	l.cell("c", `accel = "tcg"
memory = "256M"
disk "root" {
  file = "`+l.path("d.img")+`"
  size = "64M"
}
`+kernelBlock(k))
	l.must(0, "up", "c")
	c := l.console("c")
	c.expect(boot, "guest: ready")
	v := l.live("disk", "copy", "c", "root", l.path("copy.img"))
	_ = unix.Kill(v.cmd.Process.Pid, unix.SIGKILL)
	<-v.done
	eventually(t, slow, "it runs", func() bool { return l.show("c").State == "running" })
	c.send("write again\n")
	c.expect(slow, "guest: written")
	l.must(0, "down", "c")
	l.nothingLeft()
}
