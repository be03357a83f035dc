package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/plan"
)

// Of lseek(2), the same on Linux and FreeBSD.
const (
	seekData = 3
	seekHole = 4
)

// OpenForCopy opens a disk for reading. Of one that nobody may write to meanwhile
// the caller sees to that. locked asks for a lock, where no guest has it; else a
// guest has it, and is paused.
func OpenForCopy(d *plan.Disk, locked bool) (*os.File, error) {
	if d.Layer && d.Format == cell.FormatQcow2 {
		return nil, bad(d, "copy its base too, or give the guest a file of its own", "a copy of a layer would lack its base")
	}
	one := *d
	one.ReadOnly = true
	f, err := open(&one)
	if err != nil {
		return nil, err
	}
	switch {
	case locked:
		err = lock(&one, f)
	case d.Type == plan.DiskFile && !d.ReadOnly && Lock(f, false) == nil:
		err = bad(d, "", "the guest has another file: one of this name has taken its place")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Copy copies what an open image holds to a new file. Where the file system can share blocks, the kernel
// does that; else fill does it, which is for a process that is jailed: the bytes are the guest's. Holes stay
// holes. The file has its name once it is whole and on the disk, and one that is there is not touched.
func Copy(src *os.File, path string, fill func(dst, src *os.File) error) error {
	dir := filepath.Dir(path)
	bad := func(err error, hint string) error {
		return fault.Wrap(fault.Host, unwrapPath(err), hint, "copy to %s", path)
	}
	if _, err := os.Lstat(path); err == nil {
		return fault.New(fault.Input, "name a file that is not there yet", "copy to %s: it already exists", path)
	}
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return fault.Wrap(fault.Input, unwrapPath(err), "mkdir -p "+dir, "copy to %s", path)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if clone(tmp, src) != nil {
		err = fill(tmp, src)
	}
	if err != nil {
		return bad(err, "df "+dir+" shows how full it is")
	}
	if err := tmp.Sync(); err != nil {
		return bad(err, "df "+dir+" shows how full it is")
	}
	switch err := place(tmp.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return fault.New(fault.Input, "name a file that is not there yet", "copy to %s: it already exists", path)
	case err != nil:
		return bad(err, "")
	}
	return syncDir(dir)
}

// Place gives a copy its name, unless there is a file of that name.
func Place(tmp, path string) error { return unwrapPath(place(tmp, path)) }

// copyPiece is how much is copied between two words about it.
const copyPiece = 64 << 20

// Fill copies all of src into an empty file, and tells how much is done.
func Fill(dst, src *os.File, progress func(float64)) error {
	size, err := src.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := dst.Truncate(size); err != nil {
		return err
	}
	for at := int64(0); at < size; {
		data, err := src.Seek(at, seekData)
		if err != nil {
			if at > 0 || !noHoles(err) {
				if isEnd(err) {
					return nil // nothing but a hole is left
				}
				return err
			}
			data = 0 // a device, or a file system that knows no holes
		}
		hole, err := src.Seek(data, seekHole)
		if err != nil {
			hole = size
		}
		if _, err := src.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if _, err := dst.Seek(data, io.SeekStart); err != nil {
			return err
		}
		piece := min(hole-data, copyPiece)
		if n, err := io.CopyN(dst, src, piece); err != nil {
			if errors.Is(err, io.EOF) && n < piece {
				return io.ErrUnexpectedEOF
			}
			return err
		}
		at = data + piece
		progress(float64(at) / float64(size))
	}
	return nil
}

// syncDir has a name survive a power failure.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	_ = d.Sync() // not every file system can
	return nil
}
