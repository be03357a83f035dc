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

// sumFiles has each file say what was in it and what is.
func (h *hashing) sumFiles(all []Change, was, is filesystem.FileSystem, old, new map[string]entry) {
	for i := range all {
		c := &all[i]
		if e, ok := old[c.Path]; ok && e.mode.IsRegular() {
			c.Before = h.file(was, c.Path, e.size)
		}
		if e, ok := new[c.Path]; ok && e.mode.IsRegular() {
			c.SHA256 = h.file(is, c.Path, e.size)
		}
	}
}

func (h *hashing) file(from filesystem.FileSystem, name string, size int64) string {
	f, err := from.OpenFile(strings.TrimPrefix(name, "/"), os.O_RDONLY)
	if err != nil {
		h.skipped++
		return ""
	}
	defer f.Close()
	if size == 0 {
		return h.sum(strings.NewReader(""), 0)
	}
	return h.sum(f, size)
}

// both are two things to say; nil for none.
func both(a, b error) string {
	if err := errors.Join(a, b); err != nil {
		return strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return ""
}
