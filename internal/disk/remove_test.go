package disk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"skep/internal/plan"
)

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "d.img")
	if err := os.WriteFile(image, make([]byte, 512), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &plan.Disk{Label: "d", Type: plan.DiskFile, Path: image}

	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	if err := Remove(d); err == nil {
		t.Fatal("an image that is in use was removed")
	}
	f.Close()

	link := filepath.Join(dir, "link.img")
	if err := os.Symlink(image, link); err != nil {
		t.Fatal(err)
	}
	for _, refused := range []*plan.Disk{
		{Label: "l", Type: plan.DiskFile, Path: link},
		{Label: "i", Type: plan.DiskISO, Path: image},
		{Label: "r", Type: plan.DiskFile, Path: image, ReadOnly: true},
		{Label: "n", Type: plan.DiskDevice, Path: image},
		{Label: "dir", Type: plan.DiskFile, Path: dir},
	} {
		if err := Remove(refused); err == nil {
			t.Errorf("disk %s was removed", refused.Label)
		}
	}
	if _, err := os.Stat(image); err != nil {
		t.Fatal(err)
	}
	if err := Remove(d); err != nil {
		t.Error(err)
	}
	if err := Remove(d); !errors.Is(err, ErrGone) {
		t.Errorf("removed twice: %v", err)
	}
}
