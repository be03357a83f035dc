package disk

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"

	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/plan"
)

// ErrGone is of a disk that is not there to be removed.
var ErrGone = errors.New("it does not exist")

// Remove removes the image or the volume of a disk, under the same lock that a
// running cell holds. What skep could not have made is refused: an ISO image, a
// raw device, a disk that the cell may only read. So is what is no plain file.
func Remove(d *plan.Disk) error {
	switch {
	case d.Type == plan.DiskISO, d.Type == plan.DiskDevice, d.ReadOnly:
		return bad(d, "rm removes it", "it is not this cell's alone: an ISO image, a raw device, or read only")
	case d.Type == plan.DiskZvol:
		return destroyZvol(d)
	}
	if _, err := os.Lstat(d.Path); errors.Is(err, fs.ErrNotExist) {
		return ErrGone
	}
	f, err := open(d)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lock(d, f); err != nil {
		return err
	}
	// Nobody has it open with a lock; whoever comes now finds no file.
	mine, err1 := f.Stat()
	there, err2 := os.Lstat(d.Path)
	if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
		return bad(d, "", "another file has taken its place")
	}
	if err := os.Remove(d.Path); err != nil {
		return bad(d, "", "it cannot be removed: %v", unwrapPath(err))
	}
	if d.Layer && !d.Disposable {
		os.Remove(layout.LayerNote(d.Path))
	}
	return nil
}

// destroyZvol leaves a volume with snapshots or clones alone, as zfs(8) does
// unless it is told otherwise.
func destroyZvol(d *plan.Disk) error {
	tool, err := exec.LookPath("zfs")
	if err != nil {
		return fault.Cannot(fault.Host, "", "remove the volume", d.Dataset, "zfs is not installed")
	}
	if exec.Command(tool, "list", "-H", "-t", "volume", d.Dataset).Run() != nil {
		return ErrGone
	}
	if out, err := exec.Command(tool, "destroy", d.Dataset).CombinedOutput(); err != nil {
		return bad(d, "zfs list -t all -r "+d.Dataset+" shows what hangs on it", "it cannot be removed: %.200s", out)
	}
	return nil
}
