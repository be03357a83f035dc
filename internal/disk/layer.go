package disk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/plan"
)

// A layer is what a guest writes on top of a base that is only read. What it
// lies on is written down beside it before it is made: a layer on another base,
// or on one that has changed, is a disk that nobody has ever seen.

// baseNote is how the base of a layer looked when the layer was made.
type baseNote struct {
	Version  int       `json:"version"`
	Base     string    `json:"base"`
	Image    string    `json:"image,omitempty"`
	Digest   string    `json:"digest,omitempty"` // of an image in the store
	Length   int64     `json:"length"`
	Modified time.Time `json:"modified"`
}

// OpenBase opens and locks what a layer lies on, for reading and nothing else.
func OpenBase(l *plan.Layer) (*os.File, error) {
	f, _, err := OpenUnless(baseOf(l), func(*Foreign) bool { return false })
	return f, err
}

// OpenFrozen opens and locks what a template has written on top of the base, for reading and nothing else.
func OpenFrozen(l *plan.Layer) (*os.File, error) {
	d := &plan.Disk{Label: l.Label, Type: plan.DiskBase, Path: l.Frozen, Format: cell.FormatQcow2, ReadOnly: true, Layer: true}
	f, _, err := OpenUnless(d, func(*Foreign) bool { return false })
	return f, err
}

func baseOf(l *plan.Layer) *plan.Disk {
	return &plan.Disk{Label: l.Label, Type: plan.DiskBase, Path: l.Base, Format: l.BaseFormat, ReadOnly: true}
}

// layerOf is the layer as a disk.
func layerOf(l *plan.Layer) *plan.Disk {
	return &plan.Disk{Label: l.Label, Type: plan.DiskFile, Path: l.Path, Format: l.Format, Layer: true}
}

// CheckLayer says why a layer could not be used on its base; nothing is made.
func CheckLayer(l *plan.Layer, base *os.File, digest string) error {
	if has := SizeIn(baseOf(l), base); l.Size > 0 && l.Size < has {
		return bad(baseOf(l), "leave size out, or make it larger", "its size is to be %s, and it has %s already", l.Size, has)
	}
	if l.Disposable || !isThere(l.Path) {
		return nil
	}
	now, err := noteOn(l, base, digest)
	if err != nil {
		return err
	}
	return now.check(l)
}

// MakeLayer makes the layer where it is missing, and a disposable one anew. The
// caller holds the cell's lock. digest names an image's content.
func MakeLayer(l *plan.Layer, base *os.File, digest string) (made bool, err error) {
	if err := CheckLayer(l, base, digest); err != nil {
		return false, err
	}
	size := max(SizeIn(baseOf(l), base), l.Size)
	size = (size + 511) / 512 * 512
	if l.Disposable {
		if err := RemoveLayer(l); err != nil {
			return false, err
		}
		f, err := os.OpenFile(l.Path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return false, noLayer(l, err)
		}
		defer f.Close()
		if err := fillLayer(l, f, base, size); err != nil {
			os.Remove(l.Path)
			return false, noLayer(l, err)
		}
		return true, nil
	}
	if isThere(l.Path) {
		return false, growLayer(l, size)
	}
	return true, newLayer(l, base, size, digest)
}

func noLayer(l *plan.Layer, err error) error {
	return fault.Wrap(fault.Host, unwrapPath(err), "df "+filepath.Dir(l.Path)+" shows how full it is",
		"make the layer of disk %q (%s)", l.Label, l.Path)
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// newLayer writes down what the layer lies on and then makes it: aside, and
// given its name once it is whole.
func newLayer(l *plan.Layer, base *os.File, size cell.Size, digest string) error {
	note, err := noteOn(l, base, digest)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(note, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(l.Path)
	removeHalf(layout.LayerNote(l.Path))
	removeHalf(l.Path)
	if err := os.Remove(layout.LayerNote(l.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return noLayer(l, err) // of a layer that was never finished
	}
	if err := writeAside(layout.LayerNote(l.Path), func(f *os.File) error { _, err := f.Write(text); return err }); err != nil {
		return noLayer(l, err)
	}
	if err := writeAside(l.Path, func(f *os.File) error { return fillLayer(l, f, base, size) }); err != nil {
		return noLayer(l, err)
	}
	return syncDir(dir)
}

// writeAside makes a file that is there as a whole or not at all.
func writeAside(path string, write func(*os.File) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := write(tmp); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	return place(tmp.Name(), path)
}

// removeHalf removes what a crash has left of writing a file aside.
func removeHalf(path string) {
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "."+filepath.Base(path)+".") {
			os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// fillLayer writes an empty layer, whose base the hypervisor is handed beside it,
// or copies the base where the hypervisor knows no layers.
func fillLayer(l *plan.Layer, f, base *os.File, size cell.Size) error {
	if l.Format == cell.FormatQcow2 {
		return writeQcow2(f, size)
	}
	if l.BaseFormat != cell.FormatRaw {
		return fmt.Errorf("a base in the format %s cannot be copied", l.BaseFormat)
	}
	if clone(f, base) != nil {
		if err := Fill(f, base, func(float64) {}); err != nil {
			return err
		}
	}
	return f.Truncate(int64(size))
}

// growLayer has a layer come up to a size that the file gives it by now.
func growLayer(l *plan.Layer, size cell.Size) error {
	f, err := os.Open(l.Path)
	if err != nil {
		return noLayer(l, err)
	}
	has := SizeIn(layerOf(l), f)
	f.Close()
	if has == 0 || has >= size {
		return nil // opening it as a disk says what is wrong with it
	}
	return Grow(layerOf(l), size)
}

// RemoveLayer removes a disposable layer, unless a hypervisor still has it.
func RemoveLayer(l *plan.Layer) error {
	if !l.Disposable {
		return nil
	}
	f, err := os.OpenFile(l.Path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lock(layerOf(l), f); err != nil {
		return err
	}
	if err := os.Remove(l.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func noteOn(l *plan.Layer, base *os.File, digest string) (baseNote, error) {
	info, err := base.Stat()
	if err != nil {
		return baseNote{}, bad(baseOf(l), "", "%v", unwrapPath(err))
	}
	return baseNote{Version: 1, Base: l.Base, Image: l.Image, Digest: digest, Length: info.Size(), Modified: info.ModTime().UTC()}, nil
}

// check compares the base as it is with what the layer was made on. Where both are
// images of the store their content is compared, by its digest; a file is the same
// as long as it has not been written.
func (now baseNote) check(l *plan.Layer) error {
	var was baseNote
	hint := "skep disk rm removes the layer of disk " + l.Label + " with what the guest has written"
	text, err := os.ReadFile(layout.LayerNote(l.Path))
	if err == nil {
		err = json.Unmarshal(text, &was)
	}
	switch {
	case err != nil:
		return bad(layerOf(l), hint, "what it is a layer of cannot be read: %v", unwrapPath(err))
	case was.Digest != "" && was.Digest == now.Digest:
		return nil
	case was.Image != now.Image || was.Image == "" && was.Base != now.Base && !was.sameFile(now):
		return bad(layerOf(l), "name that one in the cell file; "+hint, "it is a layer of %s", was.name())
	case was.Digest != now.Digest:
		return bad(layerOf(l), hint, "the image %s is another one than that which it is a layer of", was.Image)
	case !was.sameFile(now):
		return bad(layerOf(l), "put back the base as it was; "+hint, "its base %s has been written since the layer was made", was.Base)
	}
	return nil
}

func (n baseNote) name() string {
	if n.Image != "" {
		return "the image " + n.Image
	}
	return n.Base
}

func (n baseNote) sameFile(other baseNote) bool {
	return n.Length == other.Length && n.Modified.Equal(other.Modified)
}
