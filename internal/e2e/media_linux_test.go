package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bootDisc makes a disc whose boot code says its name on the first serial port, waits for a byte there and resets
// the machine. It is 16-bit code: cli, as SeaBIOS reads that port too; mov dx,3f8h; (mov al,C; out dx,al)…;
// mov dx,3fdh; in al,dx; test al,1; jz; mov al,0feh; out 64h,al; jmp $.
func (l *lab) bootDisc(name string) string {
	l.t.Helper()
	code := []byte{0xfa, 0xba, 0xf8, 0x03}
	for _, c := range "disc " + name + "\r\n" {
		code = append(code, 0xb0, byte(c), 0xee)
	}
	code = append(code, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb, 0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe)
	l.try(os.MkdirAll(l.path(name), 0o700))
	l.write(name+"/boot.bin", string(code)+strings.Repeat("\x00", 2048-len(code)))
	iso := l.path(name + ".iso")
	out, err := exec.Command("genisoimage", "-quiet", "-b", "boot.bin", "-no-emul-boot", "-boot-load-size", "4", "-o", iso, l.path(name)).CombinedOutput()
	if err != nil {
		l.t.Fatalf("genisoimage: %v %s", err, out)
	}
	return iso
}

// The disc in a drive is changed under a guest that runs: it boots from the one that is there. QEMU lets go of the
// other, the audit knows the new one, and the drive can be empty.
func TestMedia(t *testing.T) {
	needCells(t)
	if _, err := exec.LookPath("genisoimage"); err != nil {
		t.Skip("genisoimage is not installed")
	}
	t.Parallel()
	l := newLab(t)
	one, two := l.bootDisc("one"), l.bootDisc("two")
	l.cell("m", fmt.Sprintf("accel = \"tcg\"\nboot = \"bios\"\ndisk \"plain\" {\n  file = %q\n  size = \"1M\"\n}\ndisk \"cd\" { iso = %q }\n", l.path("plain.img"), one))
	l.must(0, "up", "m")
	c := l.console("m")
	c.expect(boot, "disc one")
	holds := func(path string) bool {
		fds, _ := os.ReadDir(procOf(l.show("m").PID, "fd"))
		for _, fd := range fds {
			if to, _ := os.Readlink(procOf(l.show("m").PID, "fd/"+fd.Name())); to == path {
				return true
			}
		}
		return false
	}
	for _, disc := range []struct{ iso, says, other string }{{two, "disc two", one}, {one, "disc one", two}} {
		l.must(0, "media", "m", "cd", disc.iso)
		if !holds(disc.iso) || holds(disc.other) {
			t.Errorf("%s is in the drive: %v; %s: %v", disc.iso, holds(disc.iso), disc.other, holds(disc.other))
		}
		l.audit(0, "m")
		c.send("x")
		c.expect(boot, disc.says)
	}
	l.must(0, "media", "m", "cd", "none")
	l.must(0, "media", "m", "cd", "none")
	if holds(one) {
		t.Error("the drive is not empty")
	}
	l.audit(0, "m")
	for _, bad := range []struct{ drive, file, says string }{
		{"plain", one, "it is no drive with a disc in it"},
		{"nosuch", one, "it runs without such a drive"},
		{"cd", l.path("nosuch.iso"), "nosuch.iso"},
		{"cd", l.path("one"), "one"},
	} {
		if r := l.must(2, "media", "m", bad.drive, bad.file); !strings.Contains(r.err, bad.says) {
			t.Errorf("%s", r)
		}
	}
	l.must(0, "media", "m", "cd", two)
	c.send("x")
	c.expect(boot, "disc two")
	// Its jail is as it was: the next keeper cannot have it look at a file, and says so.
	keeper := l.show("m").KeeperPID
	l.try(unix.Kill(keeper, unix.SIGKILL))
	eventually(t, slow, "its keeper is gone", func() bool { return gone(keeper) })
	l.must(0, "adopt", "m")
	if r := l.must(2, "media", "m", "cd", one); !strings.Contains(r.err, "its keeper has died since its start") {
		t.Errorf("%s", r)
	}
	l.audit(0, "m")
	l.must(0, "kill", "m")
	if r := l.must(2, "media", "m", "cd", one); !strings.Contains(r.err, "it does not run") {
		t.Errorf("%s", r)
	}
	l.nothingLeft()
}
