package probe

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"skep/internal/host"

	"golang.org/x/sys/unix"
)

// inRoom runs QEMU in a root that holds only the given files, without /proc,
// /dev and environment, as a user that owns nothing there.
func inRoom(t *testing.T, root string, q *host.QEMU, arg ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, q.Path, arg...)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Cloneflags: syscall.CLONE_NEWNET,
		Credential: &syscall.Credential{Uid: host.DefaultUIDBase, Gid: host.DefaultUIDBase}}
	cmd.Stdin = strings.NewReader("quit\n")
	b, err := cmd.CombinedOutput()
	return string(b), err
}

func realQEMU(t *testing.T) *host.QEMU {
	t.Helper()
	f, err := Probe(t.Context(), Options{NoCache: true})
	if err != nil {
		t.Fatal(err)
	}
	if f.Linux.QEMU == nil {
		t.Skip("no QEMU: ", f.Linux.QEMUWhy)
	}
	return f.Linux.QEMU
}

// The files of the closure, and not one more, start QEMU in an empty room.
func TestRoom(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chroot(2) is root's")
	}
	q := realQEMU(t)
	root := t.TempDir()
	// The path down to the rootfs must be open to the rootfs's user.
	for d := root; d != "/"; d = filepath.Dir(d) {
		if err := unix.Access(d, unix.X_OK); err != nil {
			t.Skip(d, err)
		}
	}
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	furnish(t, root, q.Files)
	out, err := inRoom(t, root, q, "--version")
	if err != nil || parseVersion(out) != q.Version {
		t.Fatalf("--version in the rootfs: %v\n%s", err, out)
	}

	machine := []string{"-nodefaults", "-no-user-config", "-machine", "q35", "-display", "none", "-S", "-monitor", "stdio", "-L", q.Data}
	tcg := append(machine, "-accel", "tcg")
	if out, err := inRoom(t, root, q, tcg...); err == nil && len(q.TCG) > 0 {
		t.Errorf("TCG works without its module, so the module is one file too many:\n%s", out)
	}
	furnish(t, root, q.TCG)
	for _, name := range []string{"bios-256k.bin", "kvmvapic.bin", "vgabios-stdvga.bin"} {
		rom, ok := q.ROM(name)
		if !ok {
			t.Fatal("no " + name)
		}
		furnish(t, root, []host.File{rom})
	}
	if out, err := inRoom(t, root, q, append(tcg, "-device", "VGA")...); err != nil {
		t.Errorf("a machine with a screen: %v\n%s", err, out)
	}
	keymap, ok := q.ROM("keymaps/en-us")
	if !ok {
		t.Fatal("no keymap")
	}
	vnc := append(tcg, "-device", "VGA", "-vnc", "none")
	if out, err := inRoom(t, root, q, vnc...); err == nil {
		t.Logf("VNC does without its keymap here:\n%s", out)
	}
	furnish(t, root, []host.File{keymap})
	if out, err := inRoom(t, root, q, vnc...); err != nil {
		t.Errorf("a machine with VNC: %v\n%s", err, out)
	}
	if more := q.Modules["hw-display-virtio-vga"]; more != nil {
		furnish(t, root, more)
		rom, _ := q.ROM("vgabios-virtio.bin")
		furnish(t, root, []host.File{rom})
		if out, err := inRoom(t, root, q, append(tcg, "-device", "virtio-vga")...); err != nil {
			t.Errorf("virtio-vga: %v\n%s", err, out)
		}
	}
}

// Every file of the list is needed: without it QEMU does not start.
func TestRoomHoldsNoSpareFile(t *testing.T) {
	if os.Geteuid() != 0 || testing.Short() {
		t.Skip("needs root and some seconds")
	}
	q := realQEMU(t)
	root := t.TempDir()
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	furnish(t, root, q.Files)
	for _, f := range q.Files {
		p := filepath.Join(root, f.Inside)
		if err := os.Rename(p, p+".away"); err != nil {
			t.Fatal(err)
		}
		if _, err := inRoom(t, root, q, "--version"); err == nil {
			t.Error("not needed: ", f.Inside)
		}
		if err := os.Rename(p+".away", p); err != nil {
			t.Fatal(err)
		}
	}
}
