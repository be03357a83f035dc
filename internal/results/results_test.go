package results

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"skep/internal/cell"
)

// image is a disk of so many bytes with that at its beginning.
func image(t testing.TB, size int64, content []byte) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return f
}

// archive is a tar archive of these members, each file with its name in it.
func archive(t testing.TB, members ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range members {
		h.Mode = 0o4777
		if h.Typeflag == tar.TypeReg && h.Size == 0 {
			h.Size = int64(len(h.Name))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(w, h.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func plainFile(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg} }

// bring brings a disk out to a directory, without a jail.
func bring(t testing.TB, disk *os.File, size int64, format cell.ResultsFormat, b Bounds) (dir string, r Report, err error) {
	t.Helper()
	dir = t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var stream bytes.Buffer
	if err := Extract(&stream, disk, size, format, b); err != nil {
		return dir, r, err
	}
	r, err = Unpack(&stream, Dir{root}, b)
	return dir, r, err
}

// there are the files below a directory, all of which have to be plain ones that hold their own path.
func there(t testing.TB, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		switch {
		case d.IsDir():
		case !info.Mode().IsRegular() || info.Mode().Perm() != 0o600:
			t.Errorf("%s is %s", rel, info.Mode())
		default:
			b, _ := os.ReadFile(p)
			if strings.TrimPrefix(string(b), "./") != rel {
				t.Errorf("%s holds %.40q", rel, b)
			}
			paths = append(paths, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

var bounds = Bounds{Files: 1000, Size: 64 << 20}

// Of an archive full of what leads out and of devices, plain files below the directory come out.
func TestTar(t *testing.T) {
	content := archive(t,
		plainFile("report.txt"), plainFile("./logs/a.log"), plainFile("../out"), plainFile("logs/../../out"), plainFile("/etc/passwd"), plainFile("a/../b"),
		plainFile("bad\x1b[2Jname"), plainFile(`back\slash`), plainFile(strings.Repeat("d/", 40)+"deep"), plainFile("report.txt"), plainFile("logs"),
		tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"}, plainFile("link/through"),
		tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "../../etc/shadow"},
		tar.Header{Name: "sda", Typeflag: tar.TypeBlock, Devmajor: 8}, tar.Header{Name: "null", Typeflag: tar.TypeChar},
		tar.Header{Name: "fifo", Typeflag: tar.TypeFifo}, tar.Header{Name: "empty/", Typeflag: tar.TypeDir},
	)
	dir, r, err := bring(t, image(t, 1<<20, content), 1<<20, cell.ResultsTar, bounds)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := there(t, dir), []string{"link/through", "logs/a.log", "report.txt"}; !slices.Equal(got, want) {
		t.Errorf("%q came out, want %q", got, want)
	}
	if info, err := os.Lstat(filepath.Join(dir, "empty")); err != nil || !info.IsDir() {
		t.Errorf("the empty directory: %v", err)
	}
	if r.LeftOut != 14 || len(r.Left) != 14 {
		t.Errorf("%d left out: %q", r.LeftOut, r.Left)
	}
	for _, path := range []string{"../out", "/etc/passwd", "sda", "link", "hard", "fifo"} {
		if !slices.ContainsFunc(r.Left, func(l Left) bool { return l.Path == path }) {
			t.Errorf("it is not said that %s is left out", path)
		}
	}
}

// The bounds end the reading, and that is said.
func TestBounds(t *testing.T) {
	var many []tar.Header
	for i := range 200 {
		many = append(many, plainFile(fmt.Sprint("f", i)))
	}
	content := archive(t, many...)
	disk := image(t, 1<<20, content)
	dir, r, err := bring(t, disk, 1<<20, cell.ResultsTar, Bounds{Files: 100, Size: 1 << 20})
	if err != nil || r.Files != 100 || len(there(t, dir)) != 100 || !strings.Contains(r.More, "more than 100 files") {
		t.Errorf("%+v, %v", r, err)
	}
	_, r, err = bring(t, disk, 1<<20, cell.ResultsTar, Bounds{Files: 1000, Size: 50})
	if err != nil || r.Size > 50 || !strings.Contains(r.More, "more than 50 bytes") {
		t.Errorf("%+v, %v", r, err)
	}
	// A member that is said to be larger than the disk.
	huge := archive(t, plainFile("ok"))
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "huge", Typeflag: tar.TypeReg, Size: 1 << 40, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	content = append(huge[:1024], b.Bytes()...)
	_, r, err = bring(t, image(t, 1<<20, content), 1<<20, cell.ResultsTar, bounds)
	if err != nil || r.Files != 1 || r.More == "" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, _, err := bring(t, image(t, 1<<20, []byte(strings.Repeat("junk", 1000))), 1<<20, cell.ResultsTar, bounds); err == nil {
		t.Error("junk is an archive")
	}
}

// Of the file systems that real tools make, what is put on them with real tools comes out, and nothing else.
func TestFileSystems(t *testing.T) {
	const size = 64 << 20
	for format, tools := range map[cell.ResultsFormat][]string{
		cell.ResultsFAT:  {"mkfs.vfat", "-F", "32", "-n", "OUT"},
		cell.ResultsExt4: {"mke2fs", "-q", "-t", "ext4"},
	} {
		t.Run(string(format), func(t *testing.T) {
			disk := image(t, size, nil)
			makeFS(t, disk, tools)
			fill(t, format, disk)
			dir, r, err := bring(t, disk, size, format, bounds)
			if err != nil {
				t.Fatal(err)
			}
			if got := there(t, dir); !slices.Equal(got, []string{"a file with a long name.txt", "sub/deep.txt"}) {
				t.Errorf("%q came out, %+v", got, r)
			}
			if format == cell.ResultsExt4 && r.LeftOut != 2 {
				t.Errorf("a link and a device: %+v", r)
			}
		})
	}
}

// A file with a hole in it, and at its end, comes out as its guest reads it.
func TestHoles(t *testing.T) {
	const size = 64 << 20
	from := t.TempDir()
	want := make([]byte, 1<<20)
	copy(want[1<<16:], "text")
	f, err := os.Create(filepath.Join(from, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("text"), 1<<16); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(len(want))); err != nil {
		t.Fatal(err)
	}
	disk := image(t, size, nil)
	makeFS(t, disk, []string{"mke2fs", "-q", "-t", "ext4", "-d", from})
	dir, r, err := bring(t, disk, size, cell.ResultsExt4, bounds)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "sparse")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v, %+v", len(got), err, r)
	}
}

func makeFS(t testing.TB, disk *os.File, tools []string) {
	t.Helper()
	tool, err := exec.LookPath(tools[0])
	if err != nil {
		t.Skipf("%s is not installed", tools[0])
	}
	if out, err := exec.Command(tool, append(tools[1:], disk.Name())...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// fill puts two files onto a disk with that file system's own tools.
func fill(t *testing.T, format cell.ResultsFormat, disk *os.File) {
	t.Helper()
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	for p, text := range map[string]string{a: "a file with a long name.txt", b: "sub/deep.txt"} {
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	steps := [][]string{
		{"mcopy", "-i", disk.Name(), a, "::a file with a long name.txt"}, {"mmd", "-i", disk.Name(), "::sub"},
		{"mcopy", "-i", disk.Name(), b, "::sub/deep.txt"},
	}
	if format == cell.ResultsExt4 {
		steps = [][]string{
			{"debugfs", "-w", "-R", `write ` + a + ` "a file with a long name.txt"`, disk.Name()},
			{"debugfs", "-w", "-R", "mkdir sub", disk.Name()}, {"debugfs", "-w", "-R", "write " + b + " sub/deep.txt", disk.Name()},
			{"debugfs", "-w", "-R", "symlink sub/link /etc/shadow", disk.Name()}, {"debugfs", "-w", "-R", "mknod sda b 8 0", disk.Name()},
		}
	}
	for _, s := range steps {
		if _, err := exec.LookPath(s[0]); err != nil {
			t.Skipf("%s is not installed", s[0])
		}
		if out, err := exec.Command(s[0], s[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", s, err, out)
		}
	}
}

// What the jailed reader says is hostile too: nothing of it becomes anything but plain files below the directory.
func FuzzUnpack(f *testing.F) {
	var stream bytes.Buffer
	w := writer{&stream}
	_ = w.record(isDir, "d", 0)
	_ = w.record(isFile, "d/f", 3)
	stream.WriteString("abc")
	_ = w.text(isLeft, "../x", "out")
	_ = w.record(isEnd, "", 0)
	f.Add(stream.Bytes())
	f.Add([]byte("F\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01../xA"))
	f.Fuzz(func(t *testing.T, b []byte) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "dir")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		_, err = Unpack(bytes.NewReader(b), Dir{root}, Bounds{Files: 100, Size: 1 << 16})
		if err != nil && !errors.Is(err, errStream) {
			t.Log(err)
		}
		if entries, _ := os.ReadDir(outer); len(entries) != 1 {
			t.Fatalf("%d beside the directory", len(entries))
		}
		_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !d.Type().IsRegular() {
				t.Fatalf("%s is %s", p, d.Type())
			}
			return nil
		})
	})
}

// Hostile disks end, with an error or without one; what panics does so in the jail, where nothing is lost.
func FuzzExtract(f *testing.F) {
	f.Add([]byte("junk"), uint8(0))
	for which, tools := range map[uint8][]string{1: {"mkfs.vfat", "-F", "32"}, 2: {"mke2fs", "-q", "-t", "ext4"}} {
		if _, err := exec.LookPath(tools[0]); err != nil {
			continue
		}
		disk := image(f, 64<<20, nil)
		makeFS(f, disk, tools)
		b := make([]byte, 64<<10)
		_, _ = disk.ReadAt(b, 0)
		f.Add(b, which)
	}
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		defer func() { _ = recover() }()
		formats := []cell.ResultsFormat{cell.ResultsTar, cell.ResultsFAT, cell.ResultsExt4}
		disk := image(t, 1<<20, b[:min(len(b), 1<<20)])
		_ = Extract(io.Discard, disk, 1<<20, formats[int(which)%3], Bounds{Files: 100, Size: 1 << 20})
	})
}
