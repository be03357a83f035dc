//go:build linux || freebsd

package template

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
)

// FileOf is a file as it is now. With sum its bytes are read.
func FileOf(path string, sum bool) (File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	one, err := Stamp(f)
	if err != nil || !sum {
		return one, err
	}
	one.Sum, err = sumOf(f)
	return one, err
}

// Stamp is an open file as it is now, without its bytes.
func Stamp(f *os.File) (File, error) {
	var st unix.Stat_t
	conn, err := f.SyscallConn()
	if err != nil {
		return File{}, err
	}
	cerr := conn.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &st) })
	if err = errors.Join(cerr, err); err != nil {
		return File{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return File{}, errors.New("it is not a regular file")
	}
	at := func(t unix.Timespec) time.Time { return time.Unix(int64(t.Sec), int64(t.Nsec)).UTC() }
	return File{Path: f.Name(), Size: st.Size, Inode: uint64(st.Ino), Modified: at(st.Mtim), Changed: at(st.Ctim)}, nil
}

// Differs says what of a file is not as it was; "" where nothing is.
func (f File) Differs(now File) string {
	switch {
	case now.Size != f.Size:
		return fmt.Sprintf("has %d bytes, it had %d", now.Size, f.Size)
	case now.Inode != f.Inode:
		return "is another file"
	case !now.Modified.Equal(f.Modified) || !now.Changed.Equal(f.Changed):
		return "has been changed at " + now.Changed.Local().Format(time.DateTime)
	}
	return ""
}

// Check compares an open file of a template with what it was.
func (t *Template) Check(f *os.File, was File) error {
	now, err := Stamp(f)
	if err != nil {
		return fault.Wrap(fault.Input, err, "", "use the template %s: %s", t.Name, was.Path)
	}
	if why := was.Differs(now); why != "" {
		return t.refuse("%s %s", was.Path, why)
	}
	return nil
}

func (t *Template) refuse(format string, args ...any) error {
	return fault.New(fault.Input, "skep template verify "+t.Name+" compares all of it; make it again", "use the template %s: %s", t.Name, fmt.Sprintf(format, args...))
}

// piece is how much is read at once.
const piece = 1 << 20

// sumOf is the SHA-256 of what a file holds: of each page that is not all zero, its place and its bytes, so
// that holes cost nothing.
func sumOf(f *os.File) (string, error) {
	h := sha256.New()
	err := pages(f, func(at int64, page []byte) error {
		fmt.Fprintf(h, "%d ", at)
		h.Write(page)
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

const pageSize = 4096

// pages gives each page of a file that is not all zero, in order. The last one may be shorter.
func pages(f *os.File, do func(at int64, page []byte) error) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	buf, zero := make([]byte, piece), make([]byte, pageSize)
	for at := int64(0); at < size; {
		if at, err = f.Seek(at, seekData); err != nil {
			if errors.Is(err, unix.ENXIO) {
				return nil // nothing but a hole is left
			}
			return err
		}
		at -= at % pageSize
		hole, err := f.Seek(at, seekHole)
		if err != nil {
			hole = size
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), max(hole-at, pageSize))], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			return nil
		}
		for i := 0; i < n; i += pageSize {
			page := buf[i:min(i+pageSize, n)]
			if bytes.Equal(page, zero[:len(page)]) {
				continue
			}
			if err := do(at+int64(i), page); err != nil {
				return err
			}
		}
		at += int64(n)
	}
	return nil
}

// Of lseek(2), the same on Linux and FreeBSD.
const (
	seekData = 3
	seekHole = 4
)

// CopyMemory copies a guest's memory to a new file, without the pages that are all zero. Its bytes are the
// guest's, and are looked at no further.
func CopyMemory(from *os.File, path string) (err error) {
	to, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := to.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			os.Remove(path)
		}
	}()
	size, err := from.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := to.Truncate(size); err != nil {
		return err
	}
	// Pages that lie together are written together.
	var run []byte
	var begin int64
	flush := func() error {
		_, err := to.WriteAt(run, begin)
		run = run[:0]
		return err
	}
	err = pages(from, func(at int64, page []byte) error {
		if len(run) > 0 && (at != begin+int64(len(run)) || len(run) >= piece) {
			if err := flush(); err != nil {
				return err
			}
		}
		if len(run) == 0 {
			begin = at
		}
		run = append(run, page...)
		return nil
	})
	if err == nil && len(run) > 0 {
		err = flush()
	}
	if err != nil {
		return err
	}
	return to.Sync()
}

// maxState bounds the state of the devices: a frame buffer and flash chips are part of it.
const maxState = 512 << 20

// KeepState writes what comes out of a pipe to a new file.
func KeepState(from io.Reader, path string) (err error) {
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	n, err := io.Copy(to, io.LimitReader(from, maxState+1))
	if err == nil && n > maxState {
		err = fmt.Errorf("the state of the devices has more than %d bytes", int64(maxState))
	}
	if err == nil && n == 0 {
		err = errors.New("the hypervisor has written no state")
	}
	err = errors.Join(err, to.Sync(), to.Close())
	if err != nil {
		os.Remove(path)
	}
	return err
}
