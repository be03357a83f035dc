package diskdiff

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/diskfs/go-diskfs/filesystem"

	"skep/internal/ext4file"
)

// Bounds of what is hashed: a guest may have written more than anybody wants to wait for.
const (
	maxSummed  = 1 << 18 // extents
	maxHashing = 16 << 30
)

// hashing counts what may still be hashed.
type hashing struct {
	left    int64
	skipped int
}

// sum is the SHA-256 of so many bytes; "" where they are more than may be hashed, or cannot be read.
func (h *hashing) sum(r io.Reader, size int64) string {
	if size < 0 || size > h.left {
		h.skipped++
		return ""
	}
	h.left -= size
	sum := sha256.New()
	if n, err := io.CopyN(sum, r, size); err != nil || n != size {
		h.skipped++
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// said is what was left out; nil for nothing.
func (h *hashing) said(of string) error {
	if h.skipped == 0 {
		return nil
	}
	return fmt.Errorf("%d %s have no sum: they cannot be read, or are too much", h.skipped, of)
}

// sumExtents has each extent say what the guest has there.
func sumExtents(l *layer, all []Extent) error {
	h := hashing{left: maxHashing}
	for i := range all {
		switch {
		case all[i].Zero:
		case i >= maxSummed:
			h.skipped++
		default:
			all[i].SHA256 = h.sum(io.NewSectionReader(l, all[i].From, all[i].Size), all[i].Size)
		}
	}
	return h.said("extents")
}

// side is a file system before or after, the disk it is on, and its files.
type side struct {
	from  filesystem.FileSystem
	on    disk
	files map[string]entry
}

// sumFiles has each file say what was in it and what is.
func (h *hashing) sumFiles(all []Change, was, is side) {
	for i := range all {
		c := &all[i]
		c.Before, c.SHA256 = h.file(was, c.Path), h.file(is, c.Path)
	}
}

// file is the sum of a plain file; "" of what is none.
func (h *hashing) file(s side, name string) string {
	e, ok := s.files[name]
	if !ok || !e.mode.IsRegular() {
		return ""
	}
	if e.size == 0 {
		return h.sum(strings.NewReader(""), 0)
	}
	if e.ext4 != 0 {
		f, err := ext4file.Open(s.on, e.ext4, e.size)
		if err != nil {
			h.skipped++
			return ""
		}
		return h.sum(f, e.size)
	}
	f, err := s.from.OpenFile(strings.TrimPrefix(name, "/"), os.O_RDONLY)
	if err != nil {
		h.skipped++
		return ""
	}
	defer f.Close()
	return h.sum(moving{f}, e.size)
}

// moving is read until it says nothing.
type moving struct{ io.Reader }

func (m moving) Read(p []byte) (n int, err error) {
	if n, err = m.Reader.Read(p); n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	return n, err
}

// both are two things to say; nil for none.
func both(a, b error) string {
	if err := errors.Join(a, b); err != nil {
		return strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return ""
}
