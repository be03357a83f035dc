package disk

import (
	"encoding/json"
	"errors"
	"io"
	"os"

	"skep/internal/cell"
	"skep/internal/plan"
)

// What the image store needs of this package.

// Share has an empty file share the blocks of another, where the file system can.
func Share(dst, src *os.File) error { return clone(dst, src) }

// CheckQcow2 looks at the header of an image that is to be read by somebody else,
// and has tables read what hangs on it, in a jail.
func CheckQcow2(path string, f *os.File, tables func(*os.File, int64) (uint64, bool, error)) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	header := make([]byte, 4096)
	n, err := f.ReadAt(header, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	d := &plan.Disk{Label: "image", Type: plan.DiskBase, Path: path, Format: cell.FormatQcow2, ReadOnly: true}
	if err := checkQcow2(d, header[:n], size); err != nil {
		return err
	}
	return checkTables(d, f, size, tables)
}

// LayerImage is the image that a layer lies on, by the file beside the layer; ""
// where it lies on none.
func LayerImage(note string) string {
	var n baseNote
	text, err := os.ReadFile(note)
	if err != nil || json.Unmarshal(text, &n) != nil {
		return ""
	}
	return n.Image
}
