package disk

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/plan"
)

// needTools finds QEMU's own tools.
func needTools(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"qemu-img", "qemu-io"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
}

// image is an image of 8 MiB that qemu-img has made.
func image(t *testing.T, format string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image."+format)
	run(t, "", "qemu-img", "create", "-q", "-f", format, path, "8M")
	return path
}

// run runs a tool, which is to fail with those words, or to succeed where there
// are none.
func run(t *testing.T, words string, argv ...string) {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if (err != nil) != (words != "") || !strings.Contains(string(out), words) {
		t.Errorf("%s: %v, %s; want %q", strings.Join(argv, " "), err, out, words)
	}
}

// QEMU's tools are kept off the image of a guest, in their own words, and let
// read what a guest only reads. (qemu-img info asks for no lock of a raw image,
// whoever has it.)
func TestToolsSeeTheLock(t *testing.T) {
	needTools(t)
	const write, shared = `Failed to get "write" lock`, `Failed to get shared "write" lock`
	for _, c := range []struct {
		name, format     string
		readOnly         bool
		info, read, made string // what qemu-img info, a reader and a writer are told
	}{
		{"raw", "raw", false, "", "", write},
		{"qcow2", "qcow2", false, shared, shared, write},
		{"raw, read only", "raw", true, "", "", write},
		{"qcow2, read only", "qcow2", true, "", "", write},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := image(t, c.format)
			d := &plan.Disk{Label: "a", Type: plan.DiskFile, Path: path, Format: cell.DiskFormat(c.format), ReadOnly: c.readOnly}
			f, _, err := Open(d)
			if err != nil {
				t.Fatal(err)
			}
			run(t, c.info, "qemu-img", "info", path)
			run(t, c.read, "qemu-io", "-r", "-f", c.format, "-c", "read 0 512", path)
			run(t, "", "qemu-img", "info", "-U", path)
			run(t, c.made, "qemu-io", "-f", c.format, "-c", "write 0 512", path)
			run(t, write, "qemu-img", "resize", "-f", c.format, path, "16M")
			if c.format == "qcow2" {
				run(t, write, "qemu-img", "snapshot", "-c", "s", path)
			}
			// Whoever has the descriptor holds the lock, as a hypervisor does whose
			// keeper has died.
			heir := exec.Command("sleep", "60")
			heir.ExtraFiles = []*os.File{f}
			if err := heir.Start(); err != nil {
				t.Fatal(err)
			}
			f.Close()
			run(t, write, "qemu-io", "-f", c.format, "-c", "write 0 512", path)
			_ = heir.Process.Kill()
			_ = heir.Wait()
			run(t, "", "qemu-io", "-f", c.format, "-c", "write 0 512", path)
		})
	}
}

// An image that another program has is refused, and the program is named.
func TestLocksOfOthers(t *testing.T) {
	needTools(t)
	for _, format := range []string{"raw", "qcow2"} {
		for _, theirs := range []bool{false, true} {
			for _, ours := range []bool{false, true} {
				path := image(t, format)
				argv := []string{"-f", format, path}
				if !theirs {
					argv = append([]string{"-r"}, argv...)
				}
				end := opened(t, "qemu-io", argv...)
				f, _, err := Open(&plan.Disk{Label: "a", Type: plan.DiskFile, Path: path, Format: cell.DiskFormat(format), ReadOnly: !ours})
				var used *InUse
				// A raw image is read without a lock by qemu-io: nobody writes it, and it does not mind who does.
				want := theirs || ours && format == "qcow2"
				switch {
				case want && (!errors.As(err, &used) || fault.CodeOf(err) != fault.Input || fault.HintOf(err) == ""):
					t.Errorf("%s, they write %v, we %v: %v", format, theirs, ours, err)
				case want && !strings.Contains(err.Error(), "it is in use by qemu-io (pid "):
					t.Errorf("the holder is not named: %v", err)
				case !want && err != nil:
					t.Errorf("%s, they write %v, we %v: %v", format, theirs, ours, err)
				}
				f.Close()
				end()
			}
		}
	}
}

// opened starts a tool that has an image open until end is called.
func opened(t *testing.T, argv0 string, argv ...string) (end func()) {
	t.Helper()
	cmd := exec.Command(argv0, argv...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It answers once the image is open.
	if _, err := io.WriteString(in, "length\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %v", argv0, err)
		}
		if strings.Contains(line, "8 MiB") {
			break
		}
	}
	return func() { in.Close(); _ = cmd.Wait() }
}

// What goes where flock(2) is a lock on bytes, as on NFS: the locks on single
// bytes alone keep two writers apart and let two readers together. A lock of
// libvirt's, on byte 0, is seen.
func TestLockBytes(t *testing.T) {
	path := plain(t)
	open := func(flag int) *os.File {
		f, err := os.OpenFile(path, flag, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, first := range []bool{false, true} {
		for _, second := range []bool{false, true} {
			a, b := open(os.O_RDWR), open(os.O_RDWR)
			if err := lockBytes(a, first); err != nil {
				t.Fatal(err)
			}
			var used *InUse
			if err := lockBytes(b, second); (first || second) != errors.As(err, &used) {
				t.Errorf("first writes %v, second %v: %v", first, second, err)
			}
			a.Close()
			b.Close()
		}
	}
	virt, f := open(os.O_RDWR), open(os.O_RDWR)
	defer virt.Close()
	defer f.Close()
	if err := unix.FcntlFlock(virt.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Len: 1}); err != nil {
		t.Fatal(err)
	}
	var used *InUse
	if err := lockBytes(f, true); !errors.As(err, &used) {
		t.Errorf("a lock on byte 0: %v", err)
	}
}

func plain(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
