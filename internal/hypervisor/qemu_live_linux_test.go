package hypervisor_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/hypervisor"
)

const (
	ovmfCode = "/usr/share/OVMF/OVMF_CODE_4M.fd"
	ovmfVars = "/usr/share/OVMF/OVMF_VARS_4M.fd"
)

// behind makes a file for each descriptor of a cell.
func behind(t *testing.T, c *cell.Cell) inputs {
	t.Helper()
	in := inputs{disks: map[string]string{}, taps: map[string]*os.File{}, dataDir: dataDir(t, c)}
	switch c.Boot.Kind {
	case cell.BootUEFI:
		in.flashCode, in.flashVars = copyOf(t, ovmfCode), copyOf(t, ovmfVars)
	case cell.BootHello:
		in.flashCode = scratch(t, "rom", 64<<10)
	case cell.BootFirmware:
		in.flashCode = copyOf(t, filepath.Join(hostData(t), "bios-256k.bin"))
	case cell.BootKernel:
		in.kernel, in.initrd = testKernel(t)
	}
	for _, d := range c.Disks {
		in.disks[d.Label] = scratch(t, d.Label, 8<<20)
		switch {
		case d.Format == cell.FormatQcow2:
			if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", in.disks[d.Label], "8M").CombinedOutput(); err != nil {
				t.Skipf("qemu-img: %v: %s", err, out)
			}
		case d.Zvol != "" || d.Device != "":
			in.disks[d.Label] = loopDevice(t, in.disks[d.Label])
		}
	}
	for _, n := range c.NICs {
		in.taps[n.Label] = tap(t)
	}
	return in
}

// hostData is where this host's QEMU has SeaBIOS.
func hostData(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/usr/share/seabios", "/usr/share/qemu"} {
		if _, err := os.Stat(filepath.Join(dir, "bios-256k.bin")); err == nil {
			return dir
		}
	}
	t.Skip("no SeaBIOS here")
	return ""
}

// dataDir holds exactly the files that QEMUDataFiles lists, as a rootfs would.
// QEMU falls back to its built-in directories; TestDataFiles sees to that.
func dataDir(t *testing.T, c *cell.Cell) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range hypervisor.QEMUDataFiles(c) {
		var b []byte
		var err error
		for _, from := range []string{"/usr/share/seabios", "/usr/share/qemu"} {
			if b, err = os.ReadFile(filepath.Join(from, name)); err == nil {
				break
			}
		}
		if err != nil {
			t.Skip(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// testKernel is a Linux kernel of the host's, and an initrd without a thing in
// it.
func testKernel(t *testing.T) (image, initrd string) {
	t.Helper()
	// The root of an unpacked kernel package, as in package e2e, which fetches
	// one where scripts/deps has not; or the host's own.
	roots := []string{os.Getenv("SKEP_TEST_KERNEL")}
	if roots[0] == "" {
		roots = []string{"/", "../../build/cache/kernel"}
		if cache := os.Getenv("SKEP_TEST_CACHE"); cache != "" {
			roots = append(roots, filepath.Join(cache, "kernel"))
		} else if cache, err := os.UserCacheDir(); err == nil {
			unpacked, _ := filepath.Glob(filepath.Join(cache, "skep-test", "*"))
			roots = append(roots, unpacked...)
		}
	}
	for _, root := range roots {
		if found, _ := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*")); len(found) > 0 {
			image = found[len(found)-1]
		}
	}
	if image == "" {
		t.Skip("no kernel here: SKEP_TEST_KERNEL names the root of an unpacked kernel package")
	}
	return copyOf(t, image), scratch(t, "initrd", 4096)
}

// tap is a tap in a network namespace of its own, which lives as long as the
// descriptor does.
func tap(t *testing.T) *os.File {
	t.Helper()
	type result struct {
		f   *os.File
		err error
	}
	ch := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		err := unix.Unshare(unix.CLONE_NEWNET)
		var f *os.File
		if err == nil {
			f, err = os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
		}
		if err == nil {
			ifr, _ := unix.NewIfreq("skeptest0")
			ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
			err = unix.IoctlIfreq(int(f.Fd()), unix.TUNSETIFF, ifr)
		}
		ch <- result{f, err}
	}()
	r := <-ch
	if r.err != nil {
		t.Skipf("no tap here: %v", r.err)
	}
	return r.f
}

func loopDevice(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("losetup", "--find", "--show", path).Output()
	if err != nil {
		t.Skipf("no loop device here: %v", err)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { exec.Command("losetup", "--detach", dev).Run() })
	return dev
}

// Every command line is one that a real QEMU takes, waits behind, and quits
// from with status 0.
func TestQEMUTakesEveryCell(t *testing.T) {
	needQEMU(t)
	for name, c := range testCells() {
		t.Run(name, func(t *testing.T) {
			l := start(t, c, cell.AccelTCG, behind(t, c))
			s, err := l.qmp.QueryStatus(t.Context())
			if err != nil || s.Running || s.State != hypervisor.StatePrelaunch {
				t.Fatalf("status %+v, %v; want prelaunch", s, err)
			}
			disks, err := l.qmp.QueryDisks(t.Context())
			if err != nil || len(disks) < len(c.Disks) {
				t.Errorf("%d disks, %v; want at least %d", len(disks), err, len(c.Disks))
			}
			if err := l.quit(); err != nil {
				t.Errorf("quit: %v", err)
			}
			if words := l.stderr.LastWords(); words != "" {
				t.Errorf("stderr: %s", words)
			}
		})
	}
}

// Reading QEMU's own trace of what it opens: only the descriptors, and the
// data files that we list.
func TestQEMUDataFilesAreWhatItOpens(t *testing.T) {
	needQEMU(t)
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("no strace here")
	}
	for name, c := range testCells() {
		t.Run(name, func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "trace")
			in := behind(t, c)
			l := start(t, c, cell.AccelTCG, in, "strace", "-f", "-e", "trace=open,openat", "-o", trace)
			if err := l.quit(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(trace)
			if err != nil {
				t.Fatal(err)
			}
			// Which of the two kernel ROMs is opened depends on the kernel.
			opened := map[string]bool{"pvh.bin": true}
			for line := range strings.Lines(string(b)) {
				_, p, quoted := strings.Cut(line, `"`)
				p, _, _ = strings.Cut(p, `"`)
				if !quoted || strings.Contains(line, "ENOENT") {
					continue
				}
				for _, dir := range []string{in.dataDir + "/", "/share/qemu/", "/share/seabios/"} {
					if _, name, ok := strings.Cut(p, dir); ok {
						opened[name] = true
						if !slices.Contains(hypervisor.QEMUDataFiles(c), name) {
							t.Errorf("QEMU opens %s, which is not listed", p)
						}
					}
				}
				if strings.HasPrefix(p, "/dev/") && p != "/dev/null" && c.Hypervisor.Args == nil {
					t.Errorf("QEMU opens the node %s", p)
				}
			}
			for _, name := range hypervisor.QEMUDataFiles(c) {
				if !opened[name] {
					t.Errorf("QEMU does not open %s, which is listed", name)
				}
			}
		})
	}
}
