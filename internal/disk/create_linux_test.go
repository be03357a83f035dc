package disk

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
)

// Where a file system has no hard links, as exFAT and shared folders, a disk is
// made all the same, nothing is left beside it, and one that is there is not
// touched.
func TestCreateWithoutHardLinks(t *testing.T) {
	for _, tool := range []string{"mkfs.exfat", "mount.exfat-fuse", "qemu-img"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	image, mnt := filepath.Join(dir, "exfat"), filepath.Join(dir, "mnt")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 64<<20), os.Mkdir(mnt, 0o700)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.exfat", image).CombinedOutput(); err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	if out, err := exec.Command("mount.exfat-fuse", image, mnt).CombinedOutput(); err != nil {
		t.Skipf("needs to mount an exFAT: %v, %s", err, out)
	}
	t.Cleanup(func() { _ = unix.Unmount(mnt, unix.MNT_DETACH) })
	if err := os.WriteFile(filepath.Join(mnt, "a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(mnt, "a"), filepath.Join(mnt, "b")); err == nil {
		t.Fatal("it has hard links")
	}
	for _, d := range []struct {
		name   string
		format cell.DiskFormat
	}{{"d.img", cell.FormatRaw}, {"d.qcow2", cell.FormatQcow2}} {
		path := filepath.Join(mnt, d.name)
		one := raw(path)
		one.Format, one.Create = d.format, 4*cell.MiB
		f, made, err := Open(one)
		if err != nil || !made {
			t.Fatalf("%s: %v", d.name, err)
		}
		f.Close()
		if err := os.WriteFile(filepath.Join(mnt, "tmp"), []byte("other"), 0o600); err != nil {
			t.Fatal(err)
		}
		before, _ := os.Stat(path)
		if err := place(filepath.Join(mnt, "tmp"), path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over one that is there: %v", err)
		}
		if after, err := os.Stat(path); err != nil || after.Size() != before.Size() {
			t.Error("it was touched")
		}
	}
	if left, _ := filepath.Glob(filepath.Join(mnt, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
