package diskdiff

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file with holes, or with room that was never written, has the sum of what a guest reads of it.
func TestSparse(t *testing.T) {
	dir := t.TempDir()
	before, after := filepath.Join(dir, "before"), filepath.Join(dir, "after")
	os.Mkdir(before, 0o755)
	os.Mkdir(after, 0o755)
	want := map[string]string{"/end": "head" + strings.Repeat("\x00", 1<<20-4), "/middle": strings.Repeat("\x00", 1<<16) + "tail"}
	many := make([]byte, 40<<13) // so many pieces that its tree has two levels
	for i := range 40 {
		many[i<<13] = 'x'
	}
	want["/many"], want["/room"] = string(many), strings.Repeat("\x00", 1<<14)
	os.WriteFile(filepath.Join(after, "room"), nil, 0o600)
	os.WriteFile(filepath.Join(after, "end"), []byte("head"), 0o600)
	os.Truncate(filepath.Join(after, "end"), 1<<20)
	for name, at := range map[string]string{"middle": want["/middle"], "many": want["/many"]} {
		f, err := os.Create(filepath.Join(after, name))
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(at) {
			if at[i] != 0 {
				f.WriteAt([]byte{at[i]}, int64(i))
			}
		}
		f.Truncate(int64(len(at)))
		f.Close()
	}
	base, raw, layer := filepath.Join(dir, "base.img"), filepath.Join(dir, "raw.img"), filepath.Join(dir, "layer.qcow2")
	run(t, "mke2fs", "-q", "-t", "ext4", "-d", before, base, "16M")
	run(t, "mke2fs", "-q", "-t", "ext4", "-d", after, raw, "16M")
	run(t, "debugfs", "-w", "-R", "fallocate /room 0 15", raw)
	run(t, "debugfs", "-w", "-R", "set_inode_field /room size 16384", raw)
	run(t, "qemu-img", "create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", layer)
	run(t, "qemu-img", "rebase", "-q", "-f", "qcow2", "-b", base, "-F", "raw", layer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err := diff(t, layer, base)
		if err != nil {
			t.Error(err)
		}
		for _, c := range r.Files {
			if text, ok := want[c.Path]; ok {
				delete(want, c.Path)
				if c.SHA256 != sum(text) {
					t.Errorf("%s is %s, want %s", c.Path, c.SHA256, sum(text))
				}
			}
		}
		if len(want) > 0 || strings.Contains(r.Unread, "sum") {
			t.Errorf("not told: %d files, and %q", len(want), r.Unread)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
}
