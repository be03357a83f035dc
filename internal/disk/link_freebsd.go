package disk

import (
	"errors"
	"os"
	"syscall"

	"skep/internal/plan"
)

// isLinkError: FreeBSD answers EMLINK to O_NOFOLLOW on a symbolic link,
// open(2).
func isLinkError(err error) bool { return errors.Is(err, syscall.EMLINK) }

// renameNew: FreeBSD has no such rename.
func renameNew(string, string) error { return errors.ErrUnsupported }

// claim is nothing: geom(4) keeps those that write to a device apart.
const claim = 0

const busyHint = "mount and gpart show -p tell who has it"

// charDisks: FreeBSD has no block devices, every disk is a character device.
const charDisks = true

func attached(*plan.Disk, *os.File) error { return nil }

// clone is copy_file_range(2)'s own affair here, and io.Copy uses that.
func clone(*os.File, *os.File) error { return errors.ErrUnsupported }
