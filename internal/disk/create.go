package disk

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/plan"
)

// ToBeMade says whether Open would make the disk, and why it could not.
func ToBeMade(d *plan.Disk) (bool, error) {
	if d.Create == 0 {
		return false, nil
	}
	if _, err := os.Lstat(d.Path); !errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if d.Type == plan.DiskZvol {
		return true, nil
	}
	if dir := filepath.Dir(d.Path); !isDir(dir) {
		return true, bad(d, "mkdir -p "+dir, "it cannot be made: there is no directory %s", dir)
	}
	return true, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// create makes a disk that is not there. It is made aside and linked into
// place, so that a crash leaves either no disk or a whole one and an existing
// file is never touched.
func create(d *plan.Disk) (made bool, err error) {
	if d.Type == plan.DiskZvol {
		return createZvol(d)
	}
	if _, err := os.Lstat(d.Path); err == nil {
		return false, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, bad(d, "", "%v", unwrapPath(err))
	}
	dir := filepath.Dir(d.Path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(d.Path)+".*")
	if err != nil {
		hint := ""
		if errors.Is(err, fs.ErrNotExist) {
			hint = "mkdir -p " + dir
		}
		return false, bad(d, hint, "it cannot be made: %v", unwrapPath(err))
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if d.Format == cell.FormatQcow2 {
		err = writeQcow2(tmp, d.Create)
	} else {
		err = tmp.Truncate(int64(d.Create))
	}
	if err == nil && d.Results != "" {
		err = format(tmp.Name(), d)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err != nil {
		var fe *fault.Error
		if errors.As(err, &fe) {
			return false, fe
		}
		// The name was good enough for a file beside it: the rest is the host's.
		return false, fault.Wrap(fault.Host, unwrapPath(err), "df "+dir+" shows how full it is", "make disk %q (%s)", d.Label, d.Path)
	}
	switch err := place(tmp.Name(), d.Path); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrExist):
		return false, nil // another was quicker; the lock decides who has it
	default:
		return false, bad(d, "df -T "+dir+" shows which file system that is; another one may do", "it cannot be made: %v", unwrapPath(err))
	}
}

// place gives a file its name, unless there is one of that name. A file system
// without hard links, such as FAT or a shared folder, may know how to rename so;
// where it does not, an empty file of our own making holds the name meanwhile.
func place(tmp, path string) error {
	err := os.Link(tmp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := renameNew(tmp, path); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(path)
		return err
	}
	return nil
}

// createZvol asks zfs(8) for a volume that no one tastes: volmode=dev keeps
// GEOM from reading the guest's partition table.
func createZvol(d *plan.Disk) (bool, error) {
	if _, err := os.Stat(d.Path); err == nil {
		return false, nil
	}
	tool, err := exec.LookPath("zfs")
	if err != nil {
		return false, fault.Cannot(fault.Host, "install ZFS, or use file = …", "make the volume", d.Dataset, "zfs is not installed")
	}
	if exec.Command(tool, "list", "-H", "-t", "volume", d.Dataset).Run() == nil {
		return false, waitForNode(d)
	}
	args := []string{"create", "-V", strconv.FormatInt(int64(d.Create), 10), "-o", "volmode=dev"}
	if !d.Reserved {
		args = append(args, "-s")
	}
	if out, err := exec.Command(tool, append(args, d.Dataset)...).CombinedOutput(); err != nil {
		return false, bad(d, "zfs list shows the pools and datasets there are", "it cannot be made: %.200s", out)
	}
	return true, nodeOfNew(tool, d)
}
