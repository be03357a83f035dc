package disk

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/plan"
)

// isLinkError: Linux answers ELOOP to O_NOFOLLOW on a symbolic link, open(2).
func isLinkError(error) bool { return false }

// renameNew renames a file unless there is one of the new name.
func renameNew(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
}

// claim opens a block device for ourselves: without O_CREAT, O_EXCL is refused
// with EBUSY where the device is mounted, or is part of something that is, and
// keeps the host from mounting it while the descriptor is open, open(2).
const claim = unix.O_EXCL

const busyHint = "lsblk shows where it is mounted; umount it first"

// charDisks: a disk is a block device here.
const charDisks = false

// attached refuses an image that is the ground of a loop device: what is
// written there would change under whoever uses the device.
func attached(d *plan.Disk, f *os.File) error {
	if d.Type != plan.DiskFile || d.ReadOnly {
		return nil
	}
	own, err := f.Stat()
	if err != nil {
		return bad(d, "", "%v", unwrapPath(err))
	}
	loops, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, l := range loops {
		b, err := os.ReadFile(l)
		if err != nil {
			continue // detached meanwhile
		}
		if info, err := os.Stat(strings.TrimSpace(string(b))); err == nil && os.SameFile(own, info) {
			dev := "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(l)))
			return bad(d, "losetup -d "+dev+" lets it go", "this host uses it as %s", dev)
		}
	}
	return nil
}

// clone has one file share the blocks of another: ioctl_ficlone(2).
func clone(dst, src *os.File) error {
	return unix.IoctlFileClone(int(dst.Fd()), int(src.Fd()))
}
