package image

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"syscall"
)

// Of lseek(2), the same on Linux and FreeBSD.
const (
	seekData = 3
	seekHole = 4
)

var zeros [1 << 20]byte

// digestOf reads a file to its end. What lies in a hole is zeros, which need not be read.
func digestOf(f *os.File, progress func(float64)) (digest string, size int64, err error) {
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return "", 0, err
	}
	h := sha256.New()
	buf := make([]byte, len(zeros))
	for at := int64(0); at < size; {
		data, err := f.Seek(at, seekData)
		switch {
		case errors.Is(err, syscall.ENXIO):
			data = size // nothing but a hole is left
		case err != nil:
			data = at // a file system that knows no holes
		}
		hole, err := f.Seek(data, seekHole)
		if err != nil || data == size {
			hole = size
		}
		nothing(h, data-at)
		for at = data; at < hole; {
			n, err := f.ReadAt(buf[:min(int64(len(buf)), hole-at)], at)
			h.Write(buf[:n])
			at += int64(n)
			if n == 0 {
				return "", 0, errors.Join(io.ErrUnexpectedEOF, err)
			}
			if progress != nil {
				progress(float64(at) / float64(size))
			}
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), size, nil
}

func nothing(h hash.Hash, n int64) {
	for n > 0 {
		part := min(n, int64(len(zeros)))
		h.Write(zeros[:part])
		n -= part
	}
}
