package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/plan"
)

func raw(path string) *plan.Disk {
	return &plan.Disk{Label: "d", Type: plan.DiskFile, Path: path, Format: cell.FormatRaw}
}

func qcow2(path string) *plan.Disk {
	d := raw(path)
	d.Format = cell.FormatQcow2
	return d
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// header is a small whole qcow2 image of version 3: 64 KiB clusters, tables at
// the second and third of four.
func header() []byte {
	const cluster = 1 << 16
	b := make([]byte, 4*cluster)
	copy(b, qcow2Magic)
	binary.BigEndian.PutUint32(b[4:], 3)
	binary.BigEndian.PutUint32(b[20:], 16)
	binary.BigEndian.PutUint64(b[24:], 1<<20)
	binary.BigEndian.PutUint32(b[36:], 1)
	binary.BigEndian.PutUint64(b[40:], 2*cluster)
	binary.BigEndian.PutUint64(b[48:], cluster)
	binary.BigEndian.PutUint32(b[56:], 1)
	binary.BigEndian.PutUint32(b[100:], 104)
	return b
}

// Each thing that is no disk is refused by name, with the input's exit status,
// and none of them is changed.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/etc/hostname", link); err != nil {
		t.Fatal(err)
	}
	gpt := make([]byte, 1<<20)
	copy(gpt[512:], "EFI PART")
	binary.LittleEndian.PutUint64(gpt[512+32:], 1<<20)
	backing := header()
	binary.BigEndian.PutUint64(backing[8:], 512)
	binary.BigEndian.PutUint32(backing[16:], 9)
	data := header()
	binary.BigEndian.PutUint64(data[72:], qcow2DataFile)
	future := header()
	binary.BigEndian.PutUint64(future[72:], 1<<40)
	tests := []struct {
		name string
		disk *plan.Disk
		want string
	}{
		{"missing", raw(filepath.Join(dir, "none")), "it does not exist"},
		{"directory", raw(dir), "it is a directory"},
		{"fifo", raw(fifo), "it is not a regular file"},
		{"symbolic link", raw(link), "it is a symbolic link"},
		{"device node", raw(os.DevNull), "it is a device node"},
		{"empty", raw(write(t, "e", nil)), "it is empty"},
		{"no whole sectors", raw(write(t, "s", make([]byte, 1000))), "not a whole number of sectors"},
		{"smaller than its partition table says", raw(write(t, "g", gpt)), "its partition table says"},
		{"qcow2 called raw", raw(write(t, "i.qcow2", header())), "it is a qcow2 image"},
		{"raw called qcow2", qcow2(write(t, "r", make([]byte, 1024))), "it is not a qcow2 image"},
		{"backing file", qcow2(write(t, "b", backing)), "it has a backing file"},
		{"data file", qcow2(write(t, "x", data)), "it keeps its data in another file"},
		{"unknown feature", qcow2(write(t, "f", future)), "features that are not known"},
		{"truncated qcow2", qcow2(write(t, "t", header()[:1<<16])), "it is truncated"},
		{"header only", qcow2(write(t, "h", header()[:40])), "its header is not whole"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := os.Stat(tt.disk.Path)
			f, made, err := Open(tt.disk)
			if err == nil {
				f.Close()
				t.Fatal("it was opened")
			}
			if made || !strings.Contains(err.Error(), tt.want) || fault.CodeOf(err) != fault.Input {
				t.Errorf("made %v, code %d: %v; want %q", made, fault.CodeOf(err), err, tt.want)
			}
			if after, _ := os.Stat(tt.disk.Path); before != nil && (after == nil || after.Size() != before.Size() || after.ModTime() != before.ModTime()) {
				t.Error("it was changed")
			}
		})
	}
}

// One that is written is one cell's; readers share.
func TestLock(t *testing.T) {
	path := write(t, "d", make([]byte, 4096))
	ro := raw(path)
	ro.ReadOnly = true
	first, _, err := Open(raw(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, second := range []*plan.Disk{raw(path), ro} {
		if _, _, err := Open(second); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("read_only %v beside a writer: %v", second.ReadOnly, err)
		}
	}
	first.Close()
	a, _, err := Open(ro)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, _, err := Open(ro)
	if err != nil {
		t.Fatalf("two readers: %v", err)
	}
	defer b.Close()
	if _, _, err := Open(raw(path)); err == nil {
		t.Error("a writer beside readers")
	}
}

// A missing disk with a size is made; one that is there is never touched.
func TestCreate(t *testing.T) {
	d := raw(filepath.Join(t.TempDir(), "new"))
	d.Create = 4 * cell.MiB
	f, made, err := Open(d)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	if _, err := f.WriteAt([]byte("data"), 0); err != nil {
		t.Fatal(err)
	}
	f.Close()
	d.Create = 8 * cell.MiB
	f, made, err = Open(d)
	if err != nil || made {
		t.Fatal(made, err)
	}
	defer f.Close()
	info, _ := f.Stat()
	got := make([]byte, 4)
	if _, err := f.ReadAt(got, 0); err != nil || string(got) != "data" || info.Size() != int64(4*cell.MiB) {
		t.Errorf("%q, %d bytes, %v", got, info.Size(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(d.Path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	lost := raw(filepath.Join(t.TempDir(), "no", "such", "dir"))
	lost.Create = cell.MiB
	if _, _, err := Open(lost); fault.CodeOf(err) != fault.Input || fault.HintOf(err) == "" {
		t.Errorf("%v (%q)", err, fault.HintOf(err))
	}
}

// What qemu-img makes is what we read, and a backing file of its making is
// refused.
func TestQemuImg(t *testing.T) {
	tool, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Skip(err)
	}
	d := qcow2(filepath.Join(t.TempDir(), "q"))
	d.Create = 64 * cell.MiB
	f, made, err := Open(d)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	f.Close()
	over := filepath.Join(t.TempDir(), "over")
	if out, err := exec.Command(tool, "create", "-q", "-f", "qcow2", "-b", d.Path, "-F", "qcow2", over).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, _, err := Open(qcow2(over)); err == nil || !strings.Contains(err.Error(), "backing file") {
		t.Errorf("got %v", err)
	}
}

// A qcow2 that was cut off anywhere behind its tables is refused, and none that
// is whole, however it was made.
func TestQcow2CutOff(t *testing.T) {
	for _, tool := range []string{"qemu-img", "qemu-io"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	noise := make([]byte, 8<<20)
	for i := range noise {
		noise[i] = byte(i*i>>3 ^ i>>11)
	}
	if err := os.WriteFile(data, noise, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		make [][]string
	}{
		{"written", [][]string{{"qemu-img", "create", "-q", "-f", "qcow2", "IMAGE", "1G"}, {"qemu-io", "-c", "write -P 7 0 8M", "-c", "write -P 7 700M 3000", "IMAGE"}}},
		{"converted", [][]string{{"qemu-img", "convert", "-f", "raw", "-O", "qcow2", data, "IMAGE"}}},
		{"compressed", [][]string{{"qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", data, "IMAGE"}}},
		{"version 2", [][]string{{"qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", "compat=0.10", data, "IMAGE"}}},
		{"extended", [][]string{{"qemu-img", "create", "-q", "-f", "qcow2", "-o", "extended_l2=on,cluster_size=128k", "IMAGE", "1G"}, {"qemu-io", "-c", "write -P 7 3M 5M", "-c", "discard 4M 1M", "IMAGE"}}},
		{"small clusters", [][]string{{"qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=512", "IMAGE", "64M"}, {"qemu-io", "-c", "write -P 7 60M 2M", "IMAGE"}}},
		{"preallocated", [][]string{{"qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", "IMAGE", "1G"}}},
		{"zeros", [][]string{{"qemu-img", "create", "-q", "-f", "qcow2", "IMAGE", "1G"}, {"qemu-io", "-c", "write -P 7 0 4M", "-c", "write -z 1M 8M", "IMAGE"}}},
		{"snapshot", [][]string{{"qemu-img", "create", "-q", "-f", "qcow2", "IMAGE", "1G"}, {"qemu-io", "-c", "write -P 7 0 4M", "IMAGE"}, {"qemu-img", "snapshot", "-c", "s", "IMAGE"}, {"qemu-io", "-c", "write -P 8 0 2M", "IMAGE"}}},
		{"shrunk", [][]string{{"qemu-img", "create", "-q", "-f", "qcow2", "IMAGE", "1G"}, {"qemu-io", "-c", "write -P 7 0 4M", "IMAGE"}, {"qemu-img", "resize", "-q", "--shrink", "IMAGE", "2M"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "i")
			for _, line := range c.make {
				line = slices.Clone(line)
				for i := range line {
					if line[i] == "IMAGE" {
						line[i] = image
					}
				}
				if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
					t.Fatalf("%q: %v: %s", line, err, out)
				}
			}
			f, _, err := Open(qcow2(image))
			if err != nil {
				t.Fatalf("it is whole: %v", err)
			}
			info, err := f.Stat()
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range []int64{90, 50, 10} { // shorter each time
				if c.name == "zeros" && part > 10 {
					continue // that far there is nothing but zeros
				}
				if err := os.Truncate(image, info.Size()*part/100); err != nil {
					t.Fatal(err)
				}
				f, _, err := Open(qcow2(image))
				if err == nil {
					f.Close()
				}
				if err == nil || !strings.Contains(err.Error(), "truncated") {
					t.Errorf("cut off at %d%%: %v", part, err)
				}
			}
		})
	}
}

// An image is hostile: no header may panic, whatever it says.
func FuzzCheck(f *testing.F) {
	f.Add(header(), int64(4<<16), true)
	f.Add(make([]byte, 1024), int64(1024), false)
	f.Fuzz(func(t *testing.T, b []byte, size int64, q bool) {
		if size < 0 {
			return
		}
		d := raw("/x")
		var err error
		if q {
			if err = checkQcow2(qcow2("/x"), b, size); err == nil {
				err = cutError(b, size)
			}
		} else {
			err = checkRaw(d, b, size)
		}
		var fe *fault.Error
		if err != nil && !errors.As(err, &fe) {
			t.Errorf("%T", err)
		}
		if q && err == nil && len(b) >= 16 && binary.BigEndian.Uint64(b[8:]) != 0 {
			t.Error("a backing file has come through")
		}
	})
}

// What the host cannot hold is no mistake of the cell file's.
// limitFsize is RLIMIT_FSIZE, which is the same everywhere and which package syscall has not got.
const limitFsize = 1

func TestCreateTooLarge(t *testing.T) {
	dir := t.TempDir()
	d := raw(filepath.Join(dir, "d"))
	// More than this process may write; a tmpfs takes any size that there is.
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(limitFsize, &before); err != nil {
		t.Fatal(err)
	}
	d.Create = 1 << 40
	less := before
	less.Cur = 1 << 30
	if err := syscall.Setrlimit(limitFsize, &less); err != nil {
		t.Fatal(err)
	}
	_, made, err := Open(d)
	if err := syscall.Setrlimit(limitFsize, &before); err != nil {
		t.Fatal(err)
	}
	if made || fault.CodeOf(err) != fault.Host || fault.HintOf(err) == "" {
		t.Errorf("made %v, code %d, hint %q: %v", made, fault.CodeOf(err), fault.HintOf(err), err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// An image of another format is named, whatever it is called and however long it
// is, with what makes it one that can be used; a guest that has made it so gets
// it all the same.
func TestForeign(t *testing.T) {
	for _, m := range magics {
		for _, size := range []int{4096, 4097, 70001} {
			b := make([]byte, size)
			at := int(m.at)
			if at < 0 {
				at += size
			}
			copy(b[at:], m.bytes)
			for _, name := range []string{"a.img", "a.raw"}[size%2:] {
				d := raw(write(t, name, b))
				_, _, err := Open(d)
				if err == nil || !strings.Contains(err.Error(), "it is "+m.what+", not a raw image") || fault.CodeOf(err) != fault.Input || fault.HintOf(err) == "" {
					t.Errorf("%s, %d bytes: %v (%s)", m.what, size, err, fault.HintOf(err))
				}
				warned := ""
				f, _, err := OpenUnless(d, func(it *Foreign) bool { warned = it.Warning(); return true })
				if (err == nil) != (size%512 == 0) || !strings.Contains(warned, m.what) {
					t.Errorf("%s, %d bytes, made so by its guest: %v, %s", m.what, size, err, warned)
				}
				f.Close()
			}
		}
	}
	f, _, err := Open(raw(write(t, "mbr.img", append(make([]byte, 510), 0x55, 0xaa))))
	if err != nil {
		t.Error(err)
	}
	f.Close()
}

// What qemu-img makes is known, too.
func TestForeignOfQemuImg(t *testing.T) {
	tool, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct{ format, options, what string }{
		{"qcow2", "", "a qcow2 image"}, {"vmdk", "", "a VMDK image"}, {"vmdk", "subformat=monolithicFlat", "the description of a VMDK image"},
		{"vdi", "", "a VDI image"}, {"vhdx", "", "a VHDX image"}, {"vpc", "", "a VHD image"}, {"vpc", "subformat=fixed", "a VHD image"},
		{"qed", "", "a QED image"}, {"luks", "key-secret=s", "an encrypted image (LUKS)"},
	} {
		path := filepath.Join(t.TempDir(), "a.img")
		argv := []string{"create", "-q", "-f", c.format}
		if c.format == "luks" {
			argv = append(argv, "--object", "secret,id=s,data=geheim")
		}
		if c.options != "" {
			argv = append(argv, "-o", c.options)
		}
		if out, err := exec.Command(tool, append(argv, path, "1M")...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v, %s", c.format, err, out)
		}
		if _, _, err := Open(raw(path)); err == nil || !strings.Contains(err.Error(), c.what) {
			t.Errorf("%s: %v", c.format, err)
		}
	}
}

// A qcow2 that QEMU would not open is refused before, with the tool that repairs
// it.
func TestQcow2Unusable(t *testing.T) {
	needQemuImg(t)
	for _, c := range []struct {
		name     string
		argv     []string
		corrupt  bool
		readOnly bool
		want     string
		hint     string
	}{
		{"LUKS", []string{"--object", "secret,id=s,data=geheim", "-o", "encrypt.format=luks,encrypt.key-secret=s"}, false, false, "it is encrypted (LUKS)", "qemu-img convert"},
		{"AES", nil, false, false, "it is encrypted (AES)", "qemu-img convert"},
		{"corrupt", nil, true, false, "marked as corrupt", "qemu-img check -r all"},
		{"corrupt, read only", nil, true, true, "", ""},
	} {
		d := qcow2(filepath.Join(t.TempDir(), "q"))
		d.ReadOnly = c.readOnly
		argv := append([]string{"create", "-q", "-f", "qcow2"}, c.argv...)
		if out, err := exec.Command("qemu-img", append(argv, d.Path, "1M")...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v, %s", c.name, err, out)
		}
		image, err := os.OpenFile(d.Path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if c.corrupt {
			_, err = image.WriteAt([]byte{qcow2Corrupt}, 79)
		}
		if c.name == "AES" { // qemu-img makes none any more
			_, err = image.WriteAt([]byte{1}, 35)
		}
		image.Close()
		if err != nil {
			t.Fatal(err)
		}
		f, _, err := Open(d)
		f.Close()
		if c.want == "" && err == nil {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.CodeOf(err) != fault.Input || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%s: %v (%s)", c.name, err, fault.HintOf(err))
		}
	}
}

func needQemuImg(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip(err)
	}
}

// Open is OpenBy as strictly as a start does it, with the tables read here.
func Open(d *plan.Disk) (*os.File, bool, error) {
	return OpenBy(d, Rules{Tables: func(f *os.File, size int64) (uint64, bool, error) { return Cut(f, size) }})
}

// cutError is what an image of these bytes is refused with.
func cutError(b []byte, size int64) error {
	at, cut, err := cutOf(bytes.NewReader(b), b, size)
	if err == nil && cut {
		err = fmt.Errorf("it is truncated: it has data at byte %d", at)
	}
	return err
}
