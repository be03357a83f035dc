package e2e

import (
	"image/png"
	"os"
	"strings"
	"testing"
	"time"
)

// firmware is how long UEFI may take to its shell under emulation.
const firmware = 5 * time.Minute

// Debian's UEFI firmware boots to its shell: a prompt on the serial console, a
// typed command answered, a screen with something on it, and a guest that
// powers itself off ends run with 0. Its variables stay.
func TestUEFIShell(t *testing.T) {
	needUEFI(t)
	t.Parallel()
	l := newLab(t)
	l.cell("shell", `boot = "uefi"
memory = "256M"
accel = "tcg"
screen {}`)
	v := l.live("run", "shell")
	has := shell(v)
	if has {
		v.send("ver\r")
		v.expect(slow, "UEFI Interactive Shell v")
		typeToShell(l, v)
	}

	l.must(0, "screenshot", "shell", "-o", l.path("shot.png"))
	f, err := os.Open(l.path("shot.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	colors := map[[3]uint32]int{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			colors[[3]uint32{r, g, b}]++
		}
	}
	// Text in at least two colours on a ground, as the shell paints it.
	if img.Bounds().Dx() < 640 || has && len(colors) < 3 || len(colors) < 2 {
		t.Errorf("the screen is blank: %v, %d colours", img.Bounds(), len(colors))
	}
	if has {
		v.send("reset -s\r")
		v.ends(slow, 0)
	} else {
		l.must(0, "kill", "shell")
	}
	if _, err := os.Stat(l.path("state/cells/shell/uefi-vars.fd")); err != nil {
		t.Errorf("the UEFI variables are gone: %v", err)
	}
	l.nothingLeft()
}

// shell waits for the prompt of the UEFI shell, without its countdown. Some firmwares have none and
// say that there is nothing to boot.
func shell(v *live) bool {
	v.t.Helper()
	if v.expectOne(firmware, "startup.nsh", "BdsDxe: No bootable option") != "startup.nsh" {
		return false
	}
	v.send("\x1b")
	v.expect(slow, "Shell> ")
	return true
}

// A KVM that runs the built-in guest and fails on a real one costs one start:
// run goes on with TCG by itself, says so in one line, keeps the console
// joined, and from then on does not try again.
func TestKVMThatFailsOnARealGuest(t *testing.T) {
	needKVM(t)
	needUEFI(t)
	t.Parallel()
	l := newLab(t)
	l.cell("lie", `boot = "uefi"
memory = "256M"`)
	v := l.live("run", "lie")
	if v.expectOne(firmware, "startup.nsh", "BdsDxe: No bootable option") != "startup.nsh" {
		l.must(0, "kill", "lie")
		t.Skip("this firmware has no shell to end the guest with")
	}
	if l.show("lie").Accel == "kvm" {
		_ = v.cmd.Process.Signal(os.Interrupt)
		_ = v.cmd.Process.Signal(os.Interrupt)
		v.ends(slow, 6)
		t.Skip("this host's KVM runs OVMF")
	}
	v.send("\x1b")
	v.expect(slow, "Shell> ")
	v.send("ver\r")
	v.expect(slow, "UEFI Interactive Shell v")
	if n := strings.Count(v.errs.String(), "starting it again with TCG"); n != 1 {
		t.Errorf("it says %d times that it starts again:\n%s", n, v.errs)
	}
	if s := l.show("lie"); s.Accel != "tcg" || !strings.Contains(s.Reason, "KVM failed on this guest") {
		t.Errorf("why it is emulated is not said: %s, %q", s.Accel, s.Reason)
	}
	v.send("reset -s\r")
	v.ends(slow, 0)

	if r := l.must(0, "up", "lie"); !strings.Contains(r.err, "emulated") {
		t.Errorf("up does not say that it emulates: %s", r)
	}
	if s := l.show("lie"); s.Accel != "tcg" || s.State != "running" {
		t.Errorf("the second start: %s, %s", s.State, s.Accel)
	}
	l.must(0, "kill", "lie")
	l.nothingLeft()
}

// typeToShell types on the keyboard, which the serial console shows, and calls up the line again by its
// cursor key. The shell has no pointer to be seen; a place that is on no screen is refused.
func typeToShell(l *lab, v *live) {
	l.must(0, "type", "shell", "echo Ab-{9}_~\n")
	v.expect(slow, "Ab-{9}_~") // as it is said: as it is typed there is a cursor's way between any two
	l.must(0, "key", "shell", "up", "enter")
	v.expect(slow, "Ab-{9}_~")
	l.must(0, "click", "shell", "--double", "10", "10")
	if r := l.must(2, "click", "shell", "5000", "10"); !strings.Contains(r.err, "5000,10 is outside of the screen, which is") {
		l.t.Errorf("a click beside the screen: %s", r)
	}
	l.must(2, "type", "shell", "ü")
	l.must(2, "key", "shell", "ctrl-nosuch")
}
