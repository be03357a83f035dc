package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A guest that fills the host's file system is paused, and that is said with
// its reason wherever the cell is spoken of, also by the keeper that adopts it;
// once there is room it goes on by itself and has lost nothing.
func TestNoSpaceOnTheHost(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	small, filler := l.path("small"), l.path("small/filler")
	l.try(os.Mkdir(small, 0o755))
	if err := unix.Mount("test", small, "tmpfs", 0, "size=8m,mode=0755"); err != nil {
		t.Skip("needs to mount a tmpfs: " + err.Error())
	}
	defer unix.Unmount(small, unix.MNT_DETACH)
	l.try(os.WriteFile(filler, make([]byte, 6<<20), 0o600))
	l.cell("full", `accel = "tcg"
memory = "256M"
disk "root" {
  file = "`+small+`/d.img"
  size = "32M"
}
`+kernelBlock(k))
	l.must(0, "up", "full")
	c := l.console("full")
	c.expect(boot, "guest: ready")
	const reason = "disk root: no space left on the host"
	paused := func() {
		t.Helper()
		eventually(t, slow, "ps says paused", func() bool {
			out := l.must(0, "ps").out
			return strings.Contains(out, "paused") && strings.Contains(out, reason)
		})
		if out := l.must(0, "show", "full").out; !strings.Contains(out, reason) {
			t.Errorf("show: %s", out)
		}
		if out := l.must(0, "audit", "full").out; !strings.Contains(out, "the guest is paused: "+reason) {
			t.Errorf("audit: %s", out)
		}
	}
	c.send("pump 5\n")
	paused()
	eventually(t, slow, "the console says it", func() bool { return strings.Contains(c.errs.String(), reason) })
	l.must(1, "ps", "--running", "full")
	old := l.show("full").KeeperPID
	l.try(unix.Kill(old, unix.SIGKILL))
	eventually(t, slow, "another keeper has adopted it", func() bool {
		l.skep("adopt", "--all") // once the lock of the one that was killed is gone
		now := l.show("full").KeeperPID
		return now != 0 && now != old
	})
	paused()

	l.try(os.Remove(filler))
	c.expect(slow, "guest: pumped in")
	eventually(t, slow, "it runs", func() bool { return l.show("full").State == "running" })
	eventually(t, slow, "the console says it", func() bool { return strings.Contains(c.errs.String(), "the guest goes on") })
	var report struct {
		State string `json:"state"`
	}
	l.try(json.Unmarshal([]byte(l.must(0, "audit", "--json", "full").out), &report))
	if report.State != "" {
		t.Errorf("audit still says %s", report.State)
	}

	// A guest that cannot go on is ended after its time, and the reason is told.
	l.try(os.WriteFile(filler, make([]byte, 3<<20), 0o600))
	l.must(0, "down", "full")
	l.try(unix.Unmount(small, unix.MNT_DETACH))
	l.nothingLeft()
}

// On a terminal, run says it.
func TestNoSpaceIsSaidByRun(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	small := l.path("small")
	l.try(os.Mkdir(small, 0o755))
	if err := unix.Mount("test", small, "tmpfs", 0, "size=2m,mode=0755"); err != nil {
		t.Skip("needs to mount a tmpfs: " + err.Error())
	}
	defer unix.Unmount(small, unix.MNT_DETACH)
	l.cell("full", `accel = "tcg"
memory = "256M"
stop_timeout = "3s"
disk "root" {
  file = "`+small+`/d.img"
  size = "32M"
}
`+kernelBlock(k))
	v := l.live("run", "full")
	v.expect(boot, "guest: ready")
	v.send("pump 8\n")
	const said = "the guest is paused: disk root: no space left on the host"
	eventually(t, slow, "run says it", func() bool { return strings.Contains(v.errs.String(), said) })
	l.must(0, "down", "full")
	v.ends(slow, 6)
	if !strings.Contains(v.errs.String(), "did not power off within 3s; it was paused: disk root") {
		t.Errorf("%s", v.errs)
	}
	l.try(unix.Unmount(small, unix.MNT_DETACH))
	l.nothingLeft()
}

// A disk that fails otherwise pauses the guest as well, with that reason: here a device whose blocks nobody
// can write any more.
func TestDiskThatFails(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	small := l.path("small")
	l.try(os.Mkdir(small, 0o755))
	if err := unix.Mount("test", small, "tmpfs", 0, "size=2m,mode=0755"); err != nil {
		t.Skip("needs to mount a tmpfs: " + err.Error())
	}
	defer unix.Unmount(small, unix.MNT_DETACH)
	image := small + "/d.img"
	l.try(os.WriteFile(image, nil, 0o600))
	l.try(os.Truncate(image, 32<<20))
	out, err := exec.Command("losetup", "--find", "--show", image).CombinedOutput()
	if err != nil {
		t.Skipf("no loop device can be had: %v, %s", err, out)
	}
	loop := strings.TrimSpace(string(out))
	defer exec.Command("losetup", "-d", loop).Run()
	l.cell("bad", `accel = "tcg"
memory = "256M"
stop_timeout = "3s"
disk "root" { device = "`+loop+`" }
`+kernelBlock(k))
	l.must(0, "up", "bad")
	c := l.console("bad")
	c.expect(boot, "guest: ready")
	c.send("pump 8\n")
	const reason = "disk root: writing to it failed"
	eventually(t, slow, "ps says why it is paused", func() bool {
		out := l.must(0, "ps").out
		return strings.Contains(out, "paused") && strings.Contains(out, reason)
	})
	l.must(0, "down", "bad")
	if out, err := exec.Command("losetup", "-d", loop).CombinedOutput(); err != nil {
		t.Errorf("%v, %s", err, out)
	}
	eventually(t, slow, "the file system goes", func() bool { return unix.Unmount(small, 0) == nil })
	l.nothingLeft()
}
