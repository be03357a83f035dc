package disk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/fault"
)

// A disk grows, keeps what it holds, and never shrinks; a qcow2 that has grown is
// one to qemu-img.
func TestGrow(t *testing.T) {
	d := raw(write(t, "a.img", bytes.Repeat([]byte("x"), 1<<20)))
	if err := Grow(d, 4*cell.MiB); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(d.Path); err != nil || len(b) != 4<<20 || string(b[1<<20-1:1<<20+1]) != "x\x00" {
		t.Errorf("%v, %d bytes", err, len(b))
	}
	for _, size := range []cell.Size{cell.MiB, 0, 4*cell.MiB + 1} {
		if err := Grow(d, size); err == nil || fault.CodeOf(err) != fault.Input {
			t.Errorf("to %d: %v", size, err)
		}
	}
	if info, err := os.Stat(d.Path); err != nil || info.Size() != 4<<20 {
		t.Error("it was changed")
	}
	needQemuImg(t)
	for _, c := range []struct {
		options string
		to      cell.Size
		want    string // of a refusal
	}{
		{"", 3 << 30, ""}, {"", 4 << 40, ""}, {"", 5 << 40, "no room"},
		{"compat=0.10", 3 << 30, ""}, {"extended_l2=on,cluster_size=128k", 3 << 30, ""},
		{"cluster_size=512", 1 << 30, "no room"}, {"cluster_size=2M", 1 << 40, ""},
	} {
		q := qcow2(filepath.Join(t.TempDir(), "q"))
		argv := []string{"create", "-q", "-f", "qcow2"}
		if c.options != "" {
			argv = append(argv, "-o", c.options)
		}
		sh := func(argv0 string, argv ...string) string {
			out, err := exec.Command(argv0, argv...).CombinedOutput()
			if err != nil {
				t.Errorf("%s, %s %v: %v, %s", c.options, argv0, argv, err, out)
			}
			return string(out)
		}
		sh("qemu-img", append(argv, q.Path, "1M")...)
		sh("qemu-io", "-c", "write -P 7 0 1M", q.Path)
		err := Grow(q, c.to)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(fault.HintOf(err), "qemu-img resize") {
				t.Errorf("%s to %d: %v", c.options, c.to, err)
			}
		} else if err != nil {
			t.Errorf("%s to %d: %v", c.options, c.to, err)
		} else if f, _, err := Open(q); err != nil || SizeIn(q, f) != c.to {
			t.Errorf("%s: %v", c.options, err)
		} else {
			f.Close()
		}
		sh("qemu-img", "check", q.Path)
		sh("qemu-io", "-c", "read -P 7 0 1M", q.Path)
		if c.want == "" {
			sh("qemu-io", "-c", "write -P 9 900M 1M", "-c", "read -P 0 3M 1M", "-c", "read -P 9 900M 1M", q.Path)
			sh("qemu-img", "check", q.Path)
		}
	}
	s := qcow2(filepath.Join(t.TempDir(), "s"))
	for _, argv := range [][]string{{"create", "-q", "-f", "qcow2", s.Path, "1M"}, {"snapshot", "-c", "a", s.Path}} {
		if out, err := exec.Command("qemu-img", argv...).CombinedOutput(); err != nil {
			t.Fatal(err, string(out))
		}
	}
	if err := Grow(s, 4*cell.MiB); err == nil || !strings.Contains(err.Error(), "it has snapshots") {
		t.Error(err)
	}
}

// A copy is the same bytes with the same holes, under a name that was free.
func TestCopy(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.img")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, at := range []int64{0, 3 << 20, 40 << 20} {
		if _, err := f.WriteAt(bytes.Repeat([]byte("data"), 4096), at); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int64{50<<20 + 512, 60 << 20} {
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "copy")
		src, err := OpenForCopy(raw(path), true)
		if err != nil {
			t.Fatal(err)
		}
		if err := Copy(src, to, fillHere); err != nil {
			t.Fatal(err)
		}
		a, err1 := os.ReadFile(path)
		b, err2 := os.ReadFile(to)
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("they differ: %v %v, %d and %d bytes", err1, err2, len(a), len(b))
		}
		var st unix.Stat_t
		if err := unix.Stat(to, &st); err != nil || st.Blocks > 4<<20/512 {
			t.Errorf("the holes were filled: %d blocks, %v", st.Blocks, err)
		}
		if err := Copy(src, to, fillHere); err == nil || fault.CodeOf(err) != fault.Input || !strings.Contains(err.Error(), "already exists") {
			t.Errorf("over one that is there: %v", err)
		}
		src.Close()
		if err := os.Remove(to); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// fillHere is Fill without a jail.
func fillHere(dst, src *os.File) error { return Fill(dst, src, func(float64) {}) }
