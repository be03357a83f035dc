package diskdiff

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run runs a tool of the host's, or skips.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			t.Skip("no " + name + " here")
		}
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func diff(t *testing.T, layer, base string) (r Report, err error) {
	t.Helper()
	u, err := os.Open(layer)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	b, err := os.Open(base)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var out bytes.Buffer
	if err := Diff(&out, u, b); err != nil {
		return r, err
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return r, nil
}

// A file that is added to an ext4 image above its base is found, and nothing else is; so are the extents
// that qemu-img(1) has written.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	before, after := filepath.Join(dir, "before"), filepath.Join(dir, "after")
	for _, d := range []string{before, after} {
		os.MkdirAll(filepath.Join(d, "etc"), 0o755)
		os.WriteFile(filepath.Join(d, "etc/hostname"), []byte("guest\n"), 0o644)
		os.WriteFile(filepath.Join(d, "etc/gone"), []byte("x"), 0o644)
	}
	os.Remove(filepath.Join(after, "etc/gone"))
	os.WriteFile(filepath.Join(after, "etc/hostname"), []byte("owned by somebody\n"), 0o644)
	os.WriteFile(filepath.Join(after, "implant"), []byte("dropped"), 0o600)
	base, raw, layer := filepath.Join(dir, "base.img"), filepath.Join(dir, "raw.img"), filepath.Join(dir, "layer.qcow2")
	run(t, "mke2fs", "-q", "-t", "ext4", "-d", before, base, "16M")
	run(t, "mke2fs", "-q", "-t", "ext4", "-d", after, raw, "16M")
	run(t, "qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", layer)
	run(t, "qemu-img", "convert", "-q", "-n", "-f", "raw", "-O", "qcow2", raw, layer)
	r, err := diff(t, layer, base)
	if err != nil {
		t.Fatal(err)
	}
	got, sums := map[string]string{}, map[string][2]string{}
	for _, c := range r.Files {
		got[c.Path], sums[c.Path] = c.What, [2]string{c.Before, c.SHA256}
	}
	for name, want := range map[string][2]string{
		"/implant": {"", sum("dropped")}, "/etc/hostname": {sum("guest\n"), sum("owned by somebody\n")}, "/etc/gone": {sum("x"), ""},
	} {
		if sums[name] != want {
			t.Errorf("%s was and is %s, want %s", name, sums[name], want)
		}
	}
	for name, what := range map[string]string{"/implant": "new", "/etc/hostname": "changed", "/etc/gone": "gone"} {
		if got[name] != what {
			t.Errorf("%s is %q, want %q; %v %s", name, got[name], what, r.Files, r.Unread)
		}
	}
	if r.Written == 0 || r.Size != 16<<20 {
		t.Errorf("%d bytes written, of %d", r.Written, r.Size)
	}
	run(t, "qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", layer)
	if r, err = diff(t, layer, base); err != nil || len(r.Extents) != 0 || len(r.Files) != 0 || r.Unread != "" {
		t.Errorf("an empty layer: %+v, %v", r, err)
	}
	run(t, "qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 64k", "-c", "write -z 2M 64k", layer)
	if r, err = diff(t, layer, base); err != nil || len(r.Extents) != 2 || r.Extents[1] != (Extent{From: 2 << 20, Size: 64 << 10, Zero: true}) ||
		r.Extents[0] != (Extent{From: 1 << 20, Size: 64 << 10, SHA256: sum(strings.Repeat("\x07", 64<<10))}) {
		t.Errorf("two writes: %+v, %v", r.Extents, err)
	}
}

func sum(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }

// hostile is a layer with a header that is changed.
func hostile(change func(h *header)) []byte {
	h := header{Magic: magic, Version: 3, Bits: 16, Size: 1 << 20, L1Size: 1, L1At: 65536}
	change(&h)
	var b bytes.Buffer
	binary.Write(&b, binary.BigEndian, h)
	return append(b.Bytes(), make([]byte, 3*65536)...)
}

// What no layer has is refused, and bounded.
func TestHostileLayers(t *testing.T) {
	base := filepath.Join(t.TempDir(), "base")
	os.WriteFile(base, make([]byte, 4096), 0o600)
	path := filepath.Join(t.TempDir(), "layer")
	for name, change := range map[string]func(h *header){
		"no magic":       func(h *header) { h.Magic++ },
		"version":        func(h *header) { h.Version = 9 },
		"an extern file": func(h *header) { h.Incompatible = 4 },
		"encrypted":      func(h *header) { h.Crypt = 1 },
		"clusters":       func(h *header) { h.Bits = 60 },
		"a huge table":   func(h *header) { h.L1Size = 1 << 31 },
		"a far table":    func(h *header) { h.L1At = 1 << 62 },
		"a huge disk":    func(h *header) { h.Size = 1 << 63 },
	} {
		os.WriteFile(path, hostile(change), 0o600)
		if r, err := diff(t, path, base); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func FuzzDiff(f *testing.F) {
	f.Add(hostile(func(*header) {}))
	dir := f.TempDir()
	base := filepath.Join(dir, "base")
	os.WriteFile(base, make([]byte, 4096), 0o600)
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "layer")
		os.WriteFile(path, b, 0o600)
		_, _ = diff(t, path, base)
	})
}
