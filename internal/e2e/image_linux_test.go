package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// imageList is what image ls --json says.
type imageList struct {
	Images []struct {
		Name, Digest string
		Size         int64
		Users        []string
		Source       struct{ Format, Digest string }
	}
}

func (l *lab) images() (list imageList) {
	l.t.Helper()
	l.decode(l.must(0, "image", "ls", "--json"), &list)
	return list
}

func sha256Of(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// sample is a raw image with some data, and holes.
func (l *lab) sample(name string) string {
	l.t.Helper()
	data := make([]byte, 3<<20)
	_, _ = rand.Read(data)
	path := l.path(name)
	l.try(os.WriteFile(path, data, 0o644))
	l.try(os.Truncate(path, 32<<20))
	return path
}

// Whatever an image comes in, what is kept is what a guest sees: all have the
// digest of the raw one, and what an import leaves is that image and no more.
func TestImageImport(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	tool, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Skip("qemu-img is not installed")
	}
	raw := l.sample("a.raw")
	files := map[string]string{"raw": raw}
	for _, format := range []string{"qcow2", "vmdk", "vdi", "vhdx"} {
		files[format] = l.path("a." + format)
		if out, err := exec.Command(tool, "convert", "-O", format, raw, files[format]).CombinedOutput(); err != nil {
			t.Fatalf("%s", out)
		}
		l.try(os.Chmod(files[format], 0o644))
	}
	for packer, end := range map[string]string{"gzip": "gz", "xz": "xz", "zstd": "zst"} {
		if _, err := exec.LookPath(packer); err != nil {
			continue
		}
		files["raw."+end] = raw + "." + end
		args := []string{"-k", raw}
		if packer == "xz" {
			args = []string{"-k", "-0", raw}
		}
		if out, err := exec.Command(packer, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s", out)
		}
	}
	want := "sha256:" + sha256Of(t, raw)
	for format, path := range files {
		name := "a-" + format
		if r := l.must(0, "image", "import", name, path); !strings.Contains(r.out, want) {
			t.Errorf("%s: %s, want %s", format, r, want)
		}
	}
	list := l.images()
	if len(list.Images) != len(files) {
		t.Errorf("%d images of %d files", len(list.Images), len(files))
	}
	for _, i := range list.Images {
		if i.Digest != want || i.Size != 32<<20 || "a-"+i.Source.Format != i.Name || i.Source.Digest != "sha256:"+sha256Of(t, files[i.Source.Format]) {
			t.Errorf("%+v", i)
		}
	}
	blobs, _ := filepath.Glob(l.path("state/images/blobs/sha256/*"))
	if len(blobs) != 1 {
		t.Errorf("one content is kept %d times", len(blobs))
	}
	if left, _ := os.ReadDir(l.path("state/images/tmp")); len(left) > 0 {
		t.Errorf("%v", left)
	}
	var st unix.Stat_t
	l.try(unix.Stat(l.path("state/images/names/a-qcow2.raw"), &st))
	if st.Mode&0o777 != 0o444 || st.Blocks*512 > 8<<20 {
		t.Errorf("mode %o, %d bytes on the disk", st.Mode&0o777, st.Blocks*512)
	}
	// The same name again, no image, no file, not a file.
	for _, tt := range [][2]string{{"a-raw", raw}, {"../x", raw}, {"x", l.path("none")}, {"x", "/dev/null"}, {"x", l.dir}} {
		l.must(2, "image", "import", tt[0], tt[1])
	}
	l.must(0, "image", "export", "a-qcow2", l.path("out.raw"))
	if "sha256:"+sha256Of(t, l.path("out.raw")) != want {
		t.Error("what is exported is another one")
	}
	l.must(2, "image", "export", "a-qcow2", raw)
	for _, i := range list.Images {
		l.must(0, "image", "rm", i.Name)
	}
	l.must(2, "image", "rm", "a-raw")
	if blobs, _ = filepath.Glob(l.path("state/images/*/*/*")); len(blobs) > 0 {
		t.Errorf("%v", blobs)
	}
}

// Images that are made to do harm end in a plain sentence, and leave nothing.
func TestHostileImages(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	tool, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Skip("qemu-img is not installed")
	}
	l.sample("a.raw")
	for _, args := range [][]string{
		{"convert", "-O", "qcow2", "a.raw", "a.qcow2"},
		{"convert", "-O", "vmdk", "a.raw", "a.vmdk"},
		{"create", "-q", "-f", "qcow2", "huge.qcow2", "1024T"},
		{"create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", "onto.qcow2"},
		{"create", "-q", "-f", "vmdk", "-b", "a.vmdk", "-F", "vmdk", "onto.vmdk"},
	} {
		cmd := exec.Command(tool, args...)
		cmd.Dir = l.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", args, out)
		}
	}
	changed := func(name string, change func([]byte) []byte) {
		b, err := os.ReadFile(l.path("a.qcow2"))
		l.try(err)
		l.try(os.WriteFile(l.path(name), change(b), 0o644))
	}
	changed("exabyte.qcow2", func(b []byte) []byte { // 1 KiB that says 1 EiB
		binary.BigEndian.PutUint64(b[24:], 1<<60)
		return b[:1024]
	})
	changed("tables.qcow2", func(b []byte) []byte { // a first table of 10 GiB
		binary.BigEndian.PutUint32(b[36:], 0x50000000)
		return b
	})
	changed("cycle.qcow2", func(b []byte) []byte { // it lies on itself
		copy(b[512:], "cycle.qcow2")
		binary.BigEndian.PutUint64(b[8:], 512)
		binary.BigEndian.PutUint32(b[16:], 11)
		return b
	})
	changed("damaged.qcow2", func(b []byte) []byte { // its tables lead anywhere
		for at := binary.BigEndian.Uint64(b[40:]); at < uint64(len(b))-8; at += 8 {
			binary.BigEndian.PutUint64(b[at:], 0x80ffffffffff0000)
		}
		return b
	})
	l.write("passwd.vmdk", "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\nRW 2048 FLAT \"/etc/passwd\" 0\n")
	l.write("odd.raw", strings.Repeat("x", 1000))
	l.write("empty.raw", "")
	if _, err := exec.LookPath("gzip"); err == nil {
		var packed bytes.Buffer
		cmd := exec.Command("sh", "-c", "head -c 2200000000 /dev/zero | gzip -9")
		cmd.Stdout = &packed
		l.try(cmd.Run())
		l.write("bomb.raw.gz", packed.String())
		l.write("cut.raw.gz", packed.String()[:4096])
	}
	for name, want := range map[string]string{
		"huge.qcow2": "it is a disk of 1024T, and at most 2T are taken", "exabyte.qcow2": "it is truncated",
		"tables.qcow2": "its tables reach to byte", "onto.qcow2": "it has a backing file", "cycle.qcow2": "it has a backing file",
		"onto.vmdk": "it lies on another file", "passwd.vmdk": "cannot read", "damaged.qcow2": "it is truncated: it has data at byte",
		"odd.raw": "not a whole number of sectors", "empty.raw": "it is empty",
		"bomb.raw.gz": "it unpacks to more than 1000 times its length", "cut.raw.gz": "it is truncated",
	} {
		if _, err := os.Stat(l.path(name)); err != nil {
			continue
		}
		r := l.must(2, "image", "import", "x", l.path(name))
		if !strings.Contains(r.err, want) || strings.Contains(r.err, "root:") {
			t.Errorf("%s: %s, want %q", name, r, want)
		}
	}
	if list := l.images(); len(list.Images) > 0 {
		t.Errorf("%+v", list)
	}
	if left, _ := filepath.Glob(l.path("state/images/*/*")); len(left) > 1 { // blobs/sha256
		t.Errorf("%v", left)
	}
}

// An image is used by its name, kept from removal while it is, and a change
// behind the store's back is seen.
func TestImageUse(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	raw := l.sample("a.raw")
	l.must(0, "image", "import", "deb", raw)
	body := "accel = \"tcg\"\ndisk \"root\" { image = \"deb\" }"
	l.cell("c", body)
	l.cell("d", "accel = \"tcg\"\ndisk \"root\" {\n image = \"deb\"\n disposable = true\n}")
	l.cell("none", "disk \"root\" { image = \"nosuch\" }")
	if r := l.must(2, "up", "none"); !strings.Contains(r.err, "cannot find the image nosuch (") {
		t.Error(r)
	}
	l.must(0, "up", "d@{1..2}")
	l.audit(0, "d@1")
	if r := l.must(2, "image", "rm", "deb"); !strings.Contains(r.err, "it is in use by") {
		t.Error(r)
	}
	l.must(0, "down", "d@*")
	l.must(0, "up", "c")
	l.must(0, "down", "c")
	if list := l.images(); len(list.Images) != 1 || strings.Join(list.Images[0].Users, " ") != "c" {
		t.Errorf("%+v", list)
	}
	if r := l.must(2, "image", "rm", "deb"); !strings.Contains(r.err, "a layer of c lies on it") {
		t.Error(r)
	}
	l.must(0, "image", "verify", "deb")
	// Root can write what it likes; the next start sees it.
	file := l.path("state/images/names/deb.raw")
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	l.try(err)
	was := make([]byte, 1)
	g, err := os.Open(file)
	l.try(err)
	_, _ = g.ReadAt(was, 4096)
	g.Close()
	_, err = f.WriteAt([]byte{was[0] + 1}, 4096)
	l.try(err)
	if r := l.must(2, "up", "c"); !strings.Contains(r.err, "its file was changed after the import") {
		t.Error(r)
	}
	l.must(2, "image", "verify", "deb")
	_, err = f.WriteAt(was, 4096)
	l.try(err)
	f.Close()
	l.must(0, "image", "verify", "deb")
	l.must(0, "up", "c")
	l.must(0, "down", "c")
	// Another image of that name is another base.
	l.must(0, "image", "import", "new", l.sample("b.raw"))
	for _, end := range []string{".raw", ".json"} {
		l.try(os.Remove(l.path("state/images/names/deb" + end)))
	}
	l.must(0, "image", "import", "deb", l.path("b.raw"))
	if r := l.must(2, "up", "c"); !strings.Contains(r.err, "the image deb is another one") {
		t.Error(r)
	}
	l.must(0, "disk", "rm", "--yes", "c", "root")
	l.must(0, "image", "rm", "deb", "new")
	l.nothingLeft()
}

// An import that is killed at any step leaves no image, and nothing that the
// next one does not remove; ten at once of one name leave one.
func TestImportKilled(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	raw := l.sample("a.raw")
	for _, step := range []string{"name", "described", "blob"} {
		l.env = append(l.env, "SKEP_TEST_CRASH_AT=image:"+step)
		if r := l.skep("image", "import", "k", raw); r.code == 0 {
			t.Errorf("nothing died at %s", step)
		}
		l.env = l.env[:len(l.env)-1]
		listed := len(l.images().Images)
		if (listed == 1) != (step != "name") {
			t.Errorf("%s: %d images are listed", step, listed)
		}
		if listed == 1 {
			l.must(0, "image", "verify", "k")
			l.must(0, "image", "rm", "k")
		}
		l.must(0, "image", "import", "k", raw)
		l.must(0, "image", "verify", "k")
		l.must(0, "image", "rm", "k")
		if left, _ := filepath.Glob(l.path("state/images/*/*/*")); len(left) > 0 {
			t.Errorf("%s: %v", step, left)
		}
		if left, _ := os.ReadDir(l.path("state/images/tmp")); len(left) > 0 {
			t.Errorf("%s: %v", step, left)
		}
	}
	done := make(chan int, 10)
	for range cap(done) {
		go func() { done <- l.skep("image", "import", "race", raw).code }()
	}
	good := 0
	for range cap(done) {
		if <-done == 0 {
			good++
		}
	}
	if good != 1 || len(l.images().Images) != 1 {
		t.Errorf("%d of ten imports of one name went well", good)
	}
	l.must(0, "image", "verify", "race")
}

// A file system that is full is said so, and nothing of the import stays.
func TestImportNoSpace(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	raw := l.sample("a.raw")
	store := l.path("state/images")
	l.try(os.MkdirAll(store, 0o700))
	if err := unix.Mount("test", store, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
		t.Skip("needs to mount a tmpfs: " + err.Error())
	}
	defer unix.Unmount(store, unix.MNT_DETACH)
	r := l.must(1, "image", "import", "x", raw)
	if !strings.Contains(r.err, "no space left on device") || !strings.Contains(r.err, "df ") {
		t.Error(r)
	}
	if tool, err := exec.LookPath("qemu-img"); err == nil {
		l.try(exec.Command(tool, "convert", "-O", "qcow2", raw, l.path("a.qcow2")).Run())
		r = l.must(1, "image", "import", "x", l.path("a.qcow2"))
		if !strings.Contains(r.err, "no space left on device") {
			t.Error(r)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(store, "tmp", "*")); len(left) > 0 {
		t.Errorf("%v", left)
	}
}
