package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image/png"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skep/internal/host"
)

// TestMatrix is what has to work with every QEMU, C library and kernel, whoever calls: make matrix runs
// it in other userlands, and its columns are those of the table in docs/matrix.md. A column is short;
// the details have tests of their own.
func TestMatrix(t *testing.T) {
	needCells(t)
	for _, who := range callers {
		t.Run(who.name, func(t *testing.T) {
			for _, c := range columns {
				if !c.root || who.root {
					t.Run(c.name, func(t *testing.T) {
						l := newLab(t)
						who.become(l)
						c.run(t, l, who)
						l.nothingLeft()
					})
				}
			}
		})
	}
}

// A caller is somebody who uses skep.
type caller struct {
	name   string
	root   bool
	become func(l *lab)
}

var callers = []caller{
	{"root", true, func(*lab) {}},
	{"user", false, func(l *lab) { l.ordinary(false) }},
	{"user-with-subuids", false, func(l *lab) { l.ordinary(true) }},
	// A container, or a service of systemd's, has filters of its own already.
	{"root-filtered", true, func(l *lab) { l.as = filtered() }},
}

// A column is one thing that is tried.
type column struct {
	name string
	root bool // only root has what it needs
	run  func(t *testing.T, l *lab, who caller)
}

var columns = []column{
	{"doctor", false, matrixDoctor},
	{"hello", false, func(t *testing.T, l *lab, _ caller) { matrixHello(t, l, "tcg") }},
	{"hello-kvm", false, func(t *testing.T, l *lab, _ caller) {
		if k := l.doctor().Linux.KVM; !k.Works {
			t.Skip("needs KVM: " + k.Why)
		}
		matrixHello(t, l, "kvm")
	}},
	{"screen", false, matrixScreen},
	{"uefi", true, matrixUEFI},
	{"disks", false, matrixDisks},
	{"drill", false, func(t *testing.T, l *lab, _ caller) { drillReport(t, l.skep("drill", "--json")) }},
}

// doctor is what skep doctor finds, as whoever the lab is.
func (l *lab) doctor() host.Facts {
	l.t.Helper()
	var d struct{ Facts host.Facts }
	l.decode(l.must(0, "doctor", "--json"), &d)
	if d.Facts.Linux == nil || d.Facts.Linux.QEMU == nil {
		l.t.Fatalf("doctor finds no QEMU: %+v", d.Facts.Linux)
	}
	return d.Facts
}

func matrixDoctor(t *testing.T, l *lab, _ caller) {
	f := l.doctor()
	out, err := exec.Command(f.Linux.QEMU.Path, "--version").Output()
	if err != nil || !strings.Contains(string(out), f.Linux.QEMU.Version) {
		t.Errorf("QEMU %s is found, it says %q (%v)", f.Linux.QEMU.Version, out, err)
	}
}

// matrixHello: the built-in guest greets, is reset, faults; and is seen by the audit.
func matrixHello(t *testing.T, l *lab, accel string) {
	l.cell("m", fmt.Sprintf("accel = %q", accel))
	v := l.live("run", "m")
	v.expect(slow, "commands: ")
	l.sound("m", accel)
	v.send("r")
	v.expect(slow, "commands: ")
	v.send("t")
	if accel == "tcg" {
		v.ends(slow, 3)
	} else {
		matrixTriple(t, v)
	}
	if r := l.typed("q", "run", "m"); r.code != 0 {
		t.Fatalf("powering off: %s", r)
	}
}

// matrixTriple: KVM calls a triple fault a reset; a software KVM stops with an error of its own, which
// is the guest's end. The hypervisor's end it is never.
func matrixTriple(t *testing.T, v *live) {
	t.Helper()
	select {
	case <-v.done:
		if code(t, v.err) != 3 {
			t.Fatalf("a triple fault under KVM: exit %d\n%s", code(t, v.err), v.errs)
		}
	case <-time.After(2 * time.Second):
		v.expect(slow, "commands: ")
		v.send("q")
		v.ends(slow, 0)
	}
}

// sound: the cell runs as it is to, with few calls, and its audit passes.
func (l *lab) sound(name, accel string) {
	l.t.Helper()
	// A guest greets as soon as it runs, and its keeper writes that down meanwhile.
	eventually(l.t, slow, name+" runs", func() bool { return l.show(name).State != "starting" })
	c := l.show(name)
	if c.State != "running" || accel != "" && c.Accel != accel {
		l.t.Fatalf("%s is %s under %s: %s", name, c.State, c.Accel, c.Reason)
	}
	if out := l.must(0, "ps", "--all").out; strings.Contains(out, "refused, see") {
		l.t.Errorf("a call was refused that is not among the expected ones:\n%s\n%s", out, l.must(0, "show", name).out)
	}
	if c.Reach == nil || c.Reach.Syscalls > 40 || c.Reach.Files != 0 || c.Reach.Nodes != 0 {
		l.t.Errorf("its rootfs: %+v", c.Reach)
	}
	// A viewer that has just left is a descriptor of QEMU's until QEMU has seen it.
	var r result
	for range 20 {
		if r = l.skep("audit", name); r.code == 0 {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	l.t.Fatalf("its audit fails:\n%s", failing(r.out))
}

// failing are the lines of an audit that are not good.
func failing(out string) string {
	var bad []string
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 0 && (f[0] == "missing" || f[0] == "extra" || f[0] == "unknown") {
			bad = append(bad, strings.TrimSpace(line))
		}
	}
	if len(bad) == 0 {
		return out
	}
	return strings.Join(bad, "\n")
}

// guest is the block of a Linux guest that this lab's caller may read.
func (l *lab) guest() string {
	k := needKernel(l.t)
	for _, path := range []*string{&k.Image, &k.Initrd} {
		b, err := os.ReadFile(*path)
		if err != nil {
			l.t.Fatal(err)
		}
		*path = l.write(filepath.Base(*path), string(b))
	}
	return kernelBlock(k)
}

// matrixScreen: a Linux guest's screen is seen and looked at by one viewer after the other.
func matrixScreen(t *testing.T, l *lab, _ caller) {
	l.cell("s", "accel = \"tcg\"\nmemory = \"192M\"\nscreen {\n}\n"+l.guest())
	l.must(0, "up", "s")
	c := l.console("s")
	c.expect(2*boot, "guest: ready")
	// All there is on it may be a cursor, which is not to be seen half of the time.
	eventually(t, slow, "the screen shows something", func() bool { return l.colors("s") > 1 })
	for range 2 {
		view(t, l.show("s").Screen)
	}
	l.sound("s", "tcg")
	l.must(0, "down", "s")
}

// matrixUEFI: firmware paints a screen, whatever it then finds to boot.
func matrixUEFI(t *testing.T, l *lab, _ caller) {
	needUEFI(t)
	l.cell("u", "accel = \"tcg\"\nmemory = \"256M\"\nboot = \"uefi\"\nscreen {\n}\n")
	l.must(0, "up", "u")
	eventually(t, 2*firmware, "the firmware paints", func() bool { return l.colors("u") > 1 })
	view(t, l.show("u").Screen)
	l.sound("u", "tcg")
	l.must(0, "kill", "u")
}

// colors counts those of a screenshot.
func (l *lab) colors(name string) int {
	l.t.Helper()
	r := l.must(0, "screenshot", name, "-o", "-")
	img, err := png.Decode(strings.NewReader(r.out))
	if err != nil {
		l.t.Fatal(err)
	}
	seen := map[[3]uint32]bool{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
		}
	}
	return len(seen)
}

// view is a viewer: it takes one whole picture; RFC 6143, section 7.
func view(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("unix", strings.TrimPrefix(address, "unix:"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(slow))
	var size struct{ Width, Height uint16 }
	var header struct {
		Kind, _ byte
		Rects   uint16
	}
	steps := []func() error{
		func() error { return discardBytes(conn, 12) }, // version
		func() error { _, err := io.WriteString(conn, "RFB 003.008\n"); return err },
		func() error { // the kinds of security that there are; 1 is none
			n := []byte{0}
			if _, err := io.ReadFull(conn, n); err != nil {
				return err
			}
			return discardBytes(conn, int64(n[0]))
		},
		func() error { _, err := conn.Write([]byte{1}); return err },
		func() error { return discardBytes(conn, 4) },
		func() error { _, err := conn.Write([]byte{1}); return err }, // others may look too
		func() error { return binary.Read(conn, binary.BigEndian, &size) },
		func() error { return discardBytes(conn, 16) },
		func() error {
			var n uint32
			if err := binary.Read(conn, binary.BigEndian, &n); err != nil {
				return err
			}
			return discardBytes(conn, int64(n))
		},
		func() error {
			ask := []byte{3, 0, 0, 0, 0, 0}
			ask = binary.BigEndian.AppendUint16(ask, size.Width)
			_, err := conn.Write(binary.BigEndian.AppendUint16(ask, size.Height))
			return err
		},
		func() error { return binary.Read(conn, binary.BigEndian, &header) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("step %d of a viewer: %v", i+1, err)
		}
	}
	if size.Width < 640 || header.Kind != 0 || header.Rects == 0 {
		t.Errorf("the viewer sees %+v and %+v", size, header)
	}
}

func discardBytes(r io.Reader, n int64) error {
	_, err := io.CopyN(io.Discard, r, n)
	return err
}

// matrixDisks: every kind of disk, and for root a network card.
func matrixDisks(t *testing.T, l *lab, who caller) {
	nic := ""
	var server string
	if who.root {
		needTap(t)
		ns := newNetns(t)
		server = ns.answer("an answer")
		nic, l.in = "nic \"lan\" { bridge = \"br0\" }\n", ns
	}
	guest := l.guest()
	l.write("q.qcow2", qcow2(""))
	l.write("cd.iso", strings.Repeat("\x00", 1<<20))
	for _, name := range []string{"d.img", "n.img"} {
		l.write(name, strings.Repeat("\x00", 8<<20))
	}
	l.ours()
	l.cell("d", fmt.Sprintf(`accel = "tcg"
memory = "192M"
disk "d" { file = %q }
disk "q" {
  file = %q
  format = "qcow2"
}
disk "n" {
  file = %q
  model = "nvme"
}
disk "cd" { iso = %q }
`, l.path("d.img"), l.path("q.qcow2"), l.path("n.img"), l.path("cd.iso"))+nic+guest)
	l.must(0, "up", "d")
	c := l.console("d")
	c.expect(2*boot, "guest: ready")
	if out := c.out.String(); !strings.Contains(out, "vda") || !strings.Contains(out, "vdb") || !strings.Contains(out, "0x1b36:0x0010") {
		t.Errorf("the guest does not see its disks:\n%s", tail(out))
	}
	pattern := fmt.Sprintf("pattern %d", time.Now().UnixNano())
	c.send("write " + pattern + "\n")
	c.expect(slow, "guest: written")
	c.send("pump 1\n")
	c.expect(slow, "guest: pumped in")
	for _, disk := range []string{"vda", "vdb"} {
		c.send("discard " + disk + "\n")
		c.expect(slow, "guest: discard")
	}
	if nic != "" {
		c.send("ask " + guestAddress + " " + server + "\n")
		c.expect(slow, `guest: answer "an answer to question"`)
	}
	l.sound("d", "tcg")
	l.must(0, "down", "d")
	if log := l.must(0, "log", "d").out; !strings.Contains(log, "guest: powering off") {
		t.Errorf("down did not press the power button:\n%s", tail(log))
	}
	if b, err := os.ReadFile(l.path("d.img")); err != nil || len(b) != 8<<20 || bytes.Count(b, []byte{0}) == len(b) {
		t.Errorf("the guest's bytes are not in the host's file: %v", err)
	}
}
