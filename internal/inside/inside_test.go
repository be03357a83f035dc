//go:build linux || freebsd

package inside

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/probe"
	"skep/internal/reader"
	"skep/internal/tool"
)

// TestMain is also the program that readers are run in.
func TestMain(m *testing.M) {
	tool.ServeIfAsked(Table())
	os.Exit(m.Run())
}

func here(t *testing.T) reader.Host {
	t.Helper()
	f, err := probe.ForTools(probe.Options{NoCache: true})
	if err != nil {
		t.Fatal(err)
	}
	return reader.Host{Facts: f}
}

func open(t *testing.T, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A copy that a jailed reader makes has the same bytes, and as few blocks.
func TestCopyJailed(t *testing.T) {
	from, to := open(t, nil), open(t, nil)
	const size = 8 << 20
	if err := from.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if _, err := from.WriteAt([]byte("in the middle"), size/2); err != nil {
		t.Fatal(err)
	}
	var last float64
	if err := here(t).Copy(t.Context(), to, from, size, func(d float64) { last = d }); err != nil {
		t.Fatal(err)
	}
	want, _ := os.ReadFile(from.Name())
	got, _ := os.ReadFile(to.Name())
	if !bytes.Equal(got, want) || last == 0 {
		t.Errorf("%d bytes, progress %v", len(got), last)
	}
	// A file that may not become so large does not.
	small := open(t, nil)
	if err := here(t).Copy(t.Context(), small, from, size/4, nil); err == nil {
		t.Error("a copy became larger than it may")
	}
	if info, err := small.Stat(); err != nil || info.Size() > size/4 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestCutJailed(t *testing.T) {
	const cluster = 1 << 16
	b := make([]byte, 4*cluster)
	put32 := func(at int, v uint32) { binary.BigEndian.PutUint32(b[at:], v) }
	put64 := func(at int, v uint64) { binary.BigEndian.PutUint64(b[at:], v) }
	copy(b, "QFI\xfb")
	put32(4, 2)
	put32(20, 16)        // clusters of 64 KiB
	put64(24, 1<<20)     // a disk of 1 MiB
	put32(36, 1)         // one entry
	put64(40, cluster)   // in the first table, at 64 KiB
	put64(48, 3*cluster) // counts
	put32(56, 1)
	put64(cluster, 2*cluster) // the second table
	for name, tt := range map[string]struct {
		entry uint64
		cut   bool
	}{"whole": {3 * cluster, false}, "cut off": {9 * cluster, true}} {
		put64(2*cluster, tt.entry)
		at, cut, err := here(t).Cut(t.Context(), open(t, b), int64(len(b)))
		if err != nil || cut != tt.cut || cut && at != tt.entry {
			t.Errorf("%s: %d, %v, %v", name, at, cut, err)
		}
	}
	if _, _, err := here(t).Cut(t.Context(), open(t, []byte("no image")), 8); err == nil {
		t.Error("what is no image was read")
	}
}

func TestLogJailed(t *testing.T) {
	log := open(t, []byte("first\x1b[2J\nsecond\n"))
	j := reader.LogJob{Escape: true}
	j.Tail = -1
	args, err := j.Args()
	if err != nil {
		t.Fatal(err)
	}
	out, err := tool.Run(t.Context(), here(t).Facts, tool.Job{Tool: tool.Reader(reader.Log), Args: args, Files: []tool.File{{Name: "log", File: log}}})
	if want := "first\\x1b[2J\nsecond\n"; err != nil || string(out.Bytes) != want {
		t.Errorf("%q, want %q: %v", out.Bytes, want, err)
	}
}

// A contact sheet is drawn in a jail, and what is no picture of a screen ends nothing but the reader.
func TestSheetJailed(t *testing.T) {
	picture := func(width, height int) []byte {
		img := image.NewRGBA(image.Rect(0, 0, width, height))
		for i := range img.Pix {
			img.Pix[i] = 255
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var pictures []*os.File
	var labels []string
	for i := range 60 {
		pictures, labels = append(pictures, open(t, picture(64, 48))), append(labels, fmt.Sprintf("12:00:%02d", i))
	}
	b, err := Sheet(t.Context(), here(t), pictures, labels)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	white := color.RGBA{255, 255, 255, 255}
	if at := img.Bounds().Max; img.At(100, 100) != color.Color(white) || img.At(at.X-100, at.Y-100) != color.Color(white) {
		t.Errorf("the first or the last of the pictures is not there: %v, %v", img.At(100, 100), img.At(at.X-100, at.Y-100))
	}
	large := picture(1, 1)
	binary.BigEndian.PutUint32(large[16:], 1<<20)
	binary.BigEndian.PutUint32(large[20:], 1<<20)
	binary.BigEndian.PutUint32(large[29:], crc32.ChecksumIEEE(large[12:29]))
	for name, bad := range map[string]struct {
		picture []byte
		want    string
	}{
		"no picture": {[]byte("no picture"), "not a PNG"},
		"cut":        {picture(640, 480)[:60], "not enough pixel data"},
		"too large":  {large, "larger than a screen"},
	} {
		if _, err := Sheet(t.Context(), here(t), []*os.File{open(t, bad.picture)}, []string{""}); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
