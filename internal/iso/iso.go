// Package iso writes ISO 9660 images: what a guest is given to read. An image has Rock Ridge (the names,
// modes and times that Linux and FreeBSD show) and Joliet (the names that Windows shows) beside the short
// names of the standard, and nothing to boot.
//
// Where everything lies follows from names and sizes alone, so an image is written from its first byte to
// its last, with one file of the host's open at a time, whatever there is of them. It is the same for the
// same input.
package iso

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// A File is a regular file of an image.
type File struct {
	// Path is where the image has it: names with slashes between them.
	Path string
	Size int64
	Exec bool
	Time time.Time
	// Open opens it for reading, once. It has to give Size bytes.
	Open func() (io.ReadCloser, error)
}

// Bytes is a file whose contents are given.
func Bytes(path string, b []byte) File {
	return File{Path: path, Size: int64(len(b)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

// The bounds of an image.
const (
	MaxEntries = 100_000 // files and directories
	MaxDepth   = 32      // directories within one another
	MaxName    = 255     // bytes of one name
	MaxFile    = 1<<32 - sector
	MaxImage   = 1 << 40 // a sector's number has 32 bits, and so a file's end
)

const sector = 2048

// errChanged is a file that is not as long any more as it was when the image was laid out.
var errChanged = errors.New("it has changed while it was read")

// Write writes an image of that volume label, with these files and these directories, which may be empty.
func Write(w io.Writer, volume string, files []File, dirs []string) error {
	root, err := tree(files, dirs)
	if err != nil {
		return err
	}
	im, err := layOut(volume, root)
	if err != nil {
		return err
	}
	out := &counter{w: bufio.NewWriterSize(w, 1<<20)}
	im.header(out)
	for _, f := range im.files {
		if err := out.file(f); err != nil {
			return fmt.Errorf("%s: %w", f.path(), err)
		}
	}
	if out.err == nil && out.at != int64(im.end)*sector {
		return fmt.Errorf("%d bytes were written, and the image has %d", out.at, int64(im.end)*sector)
	}
	return errors.Join(out.err, out.w.Flush())
}

// counter counts what is written and keeps the first error.
type counter struct {
	w   *bufio.Writer
	at  int64
	err error
}

func (c *counter) Write(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(b)
	c.at += int64(n)
	c.err = err
	return n, err
}

// pad fills the sector that was begun.
func (c *counter) pad() {
	if rest := c.at % sector; rest != 0 {
		_, _ = c.Write(make([]byte, sector-rest))
	}
}

// file copies one file.
func (c *counter) file(n *node) error {
	if n.file.Size == 0 {
		return nil
	}
	in, err := n.file.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	copied, err := io.Copy(c, io.LimitReader(in, n.file.Size+1))
	switch {
	case c.err != nil:
		return c.err
	case err != nil:
		return err
	case copied != n.file.Size:
		return errChanged
	}
	c.pad()
	return c.err
}

// A NameError is a name that an image cannot have.
type NameError struct {
	Path, Why string
}

func (e *NameError) Error() string { return fmt.Sprintf("%q %s", e.Path, e.Why) }

// checkPath says whether a path can be one of an image's.
func checkPath(path string) error {
	names := strings.Split(path, "/")
	if len(names) > MaxDepth {
		return &NameError{path, fmt.Sprintf("lies deeper than %d directories", MaxDepth)}
	}
	for _, name := range names {
		switch {
		case name == "" || name == "." || name == "..":
			return &NameError{path, "is not a path of names with slashes between them"}
		case len(name) > MaxName:
			return &NameError{path, fmt.Sprintf("has a name of more than %d bytes", MaxName)}
		case !utf8.ValidString(name):
			return &NameError{path, "has a name that is not UTF-8"}
		case strings.ContainsRune(name, 0):
			return &NameError{path, "has a name with a zero byte"}
		}
	}
	return nil
}
