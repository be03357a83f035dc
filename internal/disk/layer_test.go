package disk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skep/internal/cell"
	"skep/internal/layout"
	"skep/internal/plan"
)

func layerIn(t *testing.T, format cell.DiskFormat) (*plan.Layer, *os.File) {
	t.Helper()
	dir := t.TempDir()
	base := filepath.Join(dir, "base.img")
	if err := os.WriteFile(base, []byte(strings.Repeat("base", 1<<18)), 0o400); err != nil {
		t.Fatal(err)
	}
	l := &plan.Layer{Label: "root", Path: filepath.Join(dir, "layer-root."+string(format)), Format: format, Base: base, BaseFormat: cell.FormatRaw}
	f, err := OpenBase(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return l, f
}

// A layer is made once, in either format, with the size of its base or a larger
// one, and nothing is left beside it but the note.
func TestMakeLayer(t *testing.T) {
	for _, format := range []cell.DiskFormat{cell.FormatQcow2, cell.FormatRaw} {
		for _, size := range []cell.Size{0, 4 * cell.MiB} {
			l, base := layerIn(t, format)
			l.Size = size
			if made, err := MakeLayer(l, base, ""); err != nil || !made {
				t.Fatalf("%s: %v, %v", format, made, err)
			}
			f, made, err := Open(layerOf(l))
			if err != nil || made {
				t.Fatalf("%s: %v", format, err)
			}
			if has := SizeIn(layerOf(l), f); has != max(size, cell.MiB) {
				t.Errorf("%s: %s, want %s", format, has, max(size, cell.MiB))
			}
			f.Close()
			if made, err := MakeLayer(l, base, ""); err != nil || made {
				t.Errorf("%s: made twice: %v, %v", format, made, err)
			}
			names := list(t, filepath.Dir(l.Path))
			if len(names) != 3 {
				t.Errorf("%s: %v", format, names)
			}
		}
	}
}

func list(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A layer whose note is gone, or whose base is another one, is refused.
func TestLayerOfAnother(t *testing.T) {
	l, base := layerIn(t, cell.FormatQcow2)
	if _, err := MakeLayer(l, base, "one"); err != nil {
		t.Fatal(err)
	}
	l.Image = ""
	if err := CheckLayer(l, base, "one"); err != nil {
		t.Error(err)
	}
	if err := CheckLayer(l, base, "two"); err == nil {
		t.Error("another content was taken")
	}
	if err := os.Remove(layout.LayerNote(l.Path)); err != nil {
		t.Fatal(err)
	}
	if err := CheckLayer(l, base, "one"); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Error(err)
	}
}

// What a crash leaves between the note and the layer is no layer.
func TestLayerHalfMade(t *testing.T) {
	l, base := layerIn(t, cell.FormatQcow2)
	for _, name := range []string{"layer-root.json", ".layer-root.qcow2.123", ".layer-root.json.9"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(l.Path), name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if made, err := MakeLayer(l, base, ""); err != nil || !made {
		t.Fatal(made, err)
	}
	if err := CheckLayer(l, base, ""); err != nil {
		t.Error(err)
	}
	if names := list(t, filepath.Dir(l.Path)); len(names) != 3 {
		t.Error(names)
	}
}

// A disposable layer is made anew whatever is there, but for one that somebody has.
func TestDisposableLayer(t *testing.T) {
	l, base := layerIn(t, cell.FormatQcow2)
	l.Disposable = true
	if err := os.WriteFile(l.Path, []byte("an earlier life's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if made, err := MakeLayer(l, base, ""); err != nil || !made {
			t.Fatal(made, err)
		}
	}
	f, _, err := Open(layerOf(l))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := MakeLayer(l, base, ""); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
	f.Close()
	if err := RemoveLayer(l); err != nil {
		t.Error(err)
	}
	if err := RemoveLayer(l); err != nil {
		t.Error("twice:", err)
	}
}

// Making a layer costs the same for every size.
func TestLayerIsSmall(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begin := time.Now()
	for _, size := range []cell.Size{cell.MiB, cell.TiB, 1024 * cell.TiB} {
		if err := writeQcow2(f, size); err != nil {
			t.Fatal(err)
		}
		d := &plan.Disk{Label: "d", Format: cell.FormatQcow2, Path: f.Name()}
		if err := check(d, f, Rules{}); err != nil {
			t.Errorf("%s: %v", size, err)
		}
		if has := SizeIn(d, f); has != size {
			t.Errorf("%s, want %s", has, size)
		}
	}
	t.Log(time.Since(begin))
}
