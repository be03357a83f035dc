package disk

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/plan"
)

func refused(t *testing.T, d *plan.Disk, says string) {
	t.Helper()
	f, _, err := Open(d)
	if err == nil {
		f.Close()
	}
	if err == nil || fault.CodeOf(err) != fault.Input || fault.HintOf(err) == "" || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v (status %d, hint %q), want %q", d.Path, err, fault.CodeOf(err), fault.HintOf(err), says)
	}
}

// A device that the host uses is not given away, nor the file below one; and
// one that a guest has cannot be mounted.
func TestClaim(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a loop device")
	}
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "-f", "--show", image).CombinedOutput()
	if err != nil {
		t.Skipf("no loop device can be had: %v, %s", err, out)
	}
	loop := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "-d", loop).CombinedOutput(); err != nil {
			t.Errorf("%v, %s", err, out)
		}
	})
	device := &plan.Disk{Label: "a", Type: plan.DiskDevice, Path: loop}
	refused(t, &plan.Disk{Label: "a", Type: plan.DiskFile, Path: image}, loop)

	// As mount(2) opens it.
	host, err := unix.Open(loop, unix.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, device, "this host or another cell uses it")
	unix.Close(host)

	f, _, err := Open(device)
	if err != nil {
		t.Fatal(err)
	}
	if fd, err := unix.Open(loop, unix.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0); err != unix.EBUSY {
		t.Errorf("the host can claim what a guest has: %v", err)
		unix.Close(fd)
	}
	refused(t, device, "uses it")
	f.Close()
}

// What is no disk is not even opened.
func TestCharacterDevices(t *testing.T) {
	for _, path := range []string{"/dev/null", "/dev/zero", "/dev/ptmx"} {
		refused(t, &plan.Disk{Label: "a", Type: plan.DiskDevice, Path: path}, "character device")
	}
}
