// Package disk opens the disks of a guest so that only a descriptor of each
// needs to enter the jail, and refuses what is not what the cell file says.
//
// An image belongs to the guest and is hostile: what is read of it here is a
// few bounded bytes of header, to find images that name other files of the
// host. What follows more than that, Cut and Fill, is called in a jail; package
// reader has the table. Nothing in this package removes or shortens an image.
package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/plan"
)

// Rules say what an image may be, and who reads more of it than a few fields of its header.
type Rules struct {
	// Accept is asked about a disk that the guest may have made look like another format; nil is no.
	Accept func(*Foreign) bool
	// Tables follows the tables of a qcow2 image, as Cut does, in a jail; nil leaves that out.
	Tables func(image *os.File, size int64) (at uint64, cut bool, err error)
}

// OpenUnless is OpenBy without a look at tables.
func OpenUnless(d *plan.Disk, accept func(*Foreign) bool) (f *os.File, made bool, err error) {
	return OpenBy(d, Rules{Accept: accept})
}

// OpenBy opens and locks the disk, making it first where the cell file gives a
// size and it is missing. The lock is on the open file, so it lasts as long as
// any process has the descriptor: the hypervisor's life, not the keeper's.
func OpenBy(d *plan.Disk, rules Rules) (f *os.File, made bool, err error) {
	if d.Create > 0 {
		if made, err = create(d); err != nil {
			return nil, false, err
		}
	}
	if d.Type == plan.DiskZvol {
		if err := checkZvol(d); err != nil {
			return nil, made, err
		}
	}
	f, err = open(d)
	if err != nil {
		return nil, made, err
	}
	// Locked first: what is checked must be what nobody else writes to.
	if err := lock(d, f); err != nil {
		f.Close()
		return nil, made, err
	}
	if err = check(d, f, rules); err == nil {
		err = attached(d, f)
	}
	if err != nil {
		f.Close()
		return nil, made, err
	}
	return f, made, nil
}

// open opens without following a last symbolic link and without waiting for
// the other end of a FIFO; what it is is looked at before anything is read.
func open(d *plan.Disk) (*os.File, error) {
	flags := os.O_RDWR
	if d.ReadOnly {
		flags = os.O_RDONLY
	}
	path := d.Path
	switch {
	case d.Type == plan.DiskFile || d.Type == plan.DiskISO || d.Type == plan.DiskBase:
		flags |= syscall.O_NOFOLLOW
	default:
		// To open some devices is to set them going: a watchdog(8), say.
		if info, err := os.Stat(path); err == nil {
			if err := kind(d, info); err != nil {
				return nil, err
			}
		}
		if !d.ReadOnly {
			flags |= claim
		}
	}
	f, err := os.OpenFile(path, flags|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		hint := "make it, or let skep make it with size = \"20G\""
		switch d.Type {
		case plan.DiskISO, plan.DiskDevice, plan.DiskBase:
			hint = "check the path in the cell file"
		case plan.DiskZvol:
			hint = "zfs list -t volume shows what there is; size = \"20G\" makes it"
		}
		return nil, bad(d, hint, "it does not exist")
	case errors.Is(err, syscall.ELOOP), isLinkError(err):
		target, _ := filepath.EvalSymlinks(path)
		hint := "name the file itself"
		if target != "" {
			hint = fmt.Sprintf("name the file itself: %q", target)
		}
		return nil, bad(d, hint, "it is a symbolic link")
	case errors.Is(err, syscall.EBUSY):
		return nil, bad(d, busyHint, "this host or another cell uses it: it is mounted, or part of something that is")
	case errors.Is(err, syscall.ENXIO):
		return nil, bad(d, "a disk is a regular file", "it is not a regular file")
	case errors.Is(err, syscall.EISDIR):
		return nil, bad(d, "a disk is a regular file", "it is a directory")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		// What it is comes first: no right makes a device of the host's a file.
		look := os.Stat // as open does
		if flags&syscall.O_NOFOLLOW != 0 {
			look = os.Lstat
		}
		if info, serr := look(path); serr == nil {
			if kerr := kind(d, info); kerr != nil {
				return nil, kerr
			}
		}
		hint := "read_only = true needs no right to write"
		if d.ReadOnly {
			hint = "ls -l shows who may read it"
		}
		return nil, bad(d, hint, "%v", unwrapPath(err))
	default:
		return nil, bad(d, "", "%v", unwrapPath(err))
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, bad(d, "", "%v", unwrapPath(err))
	}
	if err := kind(d, info); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// kind checks what a thing is, before a byte of it is read.
func kind(d *plan.Disk, info fs.FileInfo) error {
	mode := info.Mode()
	device := d.Type == plan.DiskZvol || d.Type == plan.DiskDevice
	switch {
	case device && mode&fs.ModeDevice != 0 && (charDisks || mode&fs.ModeCharDevice == 0):
		return nil
	case device && mode&fs.ModeDevice != 0:
		return bad(d, "lsblk lists the disks of this host", "it is a character device, not a disk")
	case device:
		return bad(d, "use file = … for an image file", "it is not a device node")
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return bad(d, "a disk is a regular file", "it is a directory")
	case mode&fs.ModeDevice != 0:
		return bad(d, "zvol = … names a ZFS volume, device = … a raw device", "it is a device node")
	}
	return bad(d, "a disk is a regular file", "it is not a regular file (%s)", mode)
}

// check reads the header: fields of a fixed size at fixed places, compared as numbers.
func check(d *plan.Disk, f *os.File, rules Rules) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size < 0 {
		if d.Type == plan.DiskZvol || d.Type == plan.DiskDevice {
			return nil // not every device can tell by seeking
		}
		return bad(d, "", "its size cannot be read: %v", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return bad(d, "", "%v", unwrapPath(err))
	}
	if size == 0 && (d.Type == plan.DiskFile || d.Type == plan.DiskISO || d.Type == plan.DiskBase) {
		return bad(d, "truncate -s 20G "+d.Path+" gives it a size", "it is empty")
	}
	header := make([]byte, 4096)
	n, err := f.ReadAt(header, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return bad(d, "", "its header cannot be read: %v", unwrapPath(err))
	}
	header = header[:n]
	if d.Format == cell.FormatQcow2 {
		if err := checkQcow2(d, header, size); err != nil {
			return err
		}
		return checkTables(d, f, size, rules.Tables)
	}
	if it := foreign(d, f, header, size); it != nil && (rules.Accept == nil || !rules.Accept(it)) {
		return it.fault()
	}
	return checkRaw(d, header, size)
}

func checkRaw(d *plan.Disk, header []byte, size int64) error {
	if (d.Type == plan.DiskFile || d.Type == plan.DiskBase) && size%512 != 0 {
		return bad(d, "a disk is made of 512-byte sectors: fetch the image again, or round its size up", "it is truncated: %d bytes are not a whole number of sectors", size)
	}
	// A GUID partition table names its last block: UEFI 2.10, section 5.3.2.
	const gpt = 512
	if len(header) >= gpt+48 && string(header[gpt:gpt+8]) == "EFI PART" {
		last := binary.LittleEndian.Uint64(header[gpt+32:])
		if last < 1<<55 && int64(last+1)*512 > size {
			return bad(d, "fetch the image again, or enlarge it with truncate -s", "it is truncated: its partition table says %d bytes, the file has %d", int64(last+1)*512, size)
		}
	}
	return nil
}

// bad is an error about a disk: the input names it wrongly.
func bad(d *plan.Disk, hint, format string, args ...any) error {
	return fault.Cannot(fault.Input, hint, "use disk", fmt.Sprintf("%q (%s)", d.Label, d.Path), format, args...)
}

// unwrapPath drops the path that an error carries: the message has it already.
func unwrapPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
