package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skep/internal/host"
)

// A host that lives in the root its kernel was unpacked into (booted from the network, or a stick into
// memory) has cells like any other: pivot_root(2) alone cannot leave such a root. Root's cells and an
// ordinary user's are built in different ways, so both are tried; and their audits pass.
func TestInitialRoot(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	f, err := facts()
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t)
	init := filepath.Join(filepath.Dir(skep), "init")
	k, err = k.With(l.path("initrd"), init, hostFiles(f.Linux.QEMU))
	if err != nil {
		t.Fatal(err)
	}
	v := bareGuest(t, f.Linux.QEMU.Path, k.Image, k.Initrd)
	v.expect(4*boot, "guest: ready")
	v.send("settle\n")
	v.expect(slow, "guest: settled")
	for _, step := range []struct{ line, want string }{
		{"run 0 q /skep run hello", "power off"},
		{"run 0 - /skep up hello", ""},
		{"run 0 - /skep audit hello", "0 missing, 0 extra"},
		{"run 0 - /skep down hello", ""},
		{"run 1000 q /skep run hello", "power off"},
		{"run 1000 - /skep up hello", ""},
		{"run 1000 - /skep audit hello", "0 missing, 0 extra"},
		{"run 1000 - /skep kill hello", ""},
	} {
		before := v.at
		v.send(step.line + "\n")
		v.expect(6*boot, "guest: exit ")
		v.expect(slow, "\n")
		out := v.out.String()[before:v.at]
		if !strings.Contains(out, "guest: exit 0 of") || !strings.Contains(out, step.want) {
			t.Errorf("%s:\n%s", step.line, tail(out))
		}
	}
	v.send("off\n")
	v.ends(2*boot, 0)
}

// hostFiles are skep and a QEMU with all that it opens for the built-in guest, by their paths in a root.
func hostFiles(q *host.QEMU) map[string]string {
	files := map[string]string{"/skep": skep}
	for _, f := range append(append([]host.File{}, q.Files...), q.TCG...) {
		files[f.Inside] = f.Host
	}
	files["/usr/bin/qemu-system-x86_64"] = q.Path
	return files
}

// bareGuest boots a kernel in a QEMU that is in no jail: the guest is the host of the test.
func bareGuest(t *testing.T, qemu, image, initrd string) *live {
	t.Helper()
	v := &live{t: t, out: &transcript{}, errs: &transcript{}, done: make(chan struct{})}
	v.cmd = exec.CommandContext(t.Context(), qemu, "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024", "-smp", "2", "-nodefaults",
		"-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", image, "-initrd", initrd,
		"-append", "console=ttyS0 quiet panic=-1 no_timer_check")
	v.cmd.WaitDelay = 5 * time.Second
	in, err := v.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	v.in, v.cmd.Stdout, v.cmd.Stderr = in, v.out, v.errs
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v.reap()
	return v
}
