//go:build linux || freebsd

package inside

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
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
