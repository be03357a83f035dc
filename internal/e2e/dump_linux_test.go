package e2e

import (
	"bytes"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// The memory of a Linux guest of 512 MiB, as ELF and as raw: readelf(1) agrees, the kernel's banner is in
// both, and both are the same memory, of which only what is not zero takes room.
func TestDump(t *testing.T) {
	needTools(t, "readelf")
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	l.cell("lab", "accel = \"tcg\"\nmemory = \"512M\"\nscreen {}\n"+kernelBlock(k))
	l.must(1, "dump", "lab", l.path("none.elf"))
	l.must(0, "up", "lab")
	c := l.console("lab")
	c.expect(boot, "guest: ready")
	l.must(0, "dump", "lab", l.path("runs.elf")) // and goes on:
	c.send("read\n")
	c.expect(slow, "guest: ")
	l.must(0, "pause", "lab")
	r := l.must(0, "dump", "lab", l.path("a.elf"))
	if !strings.Contains(r.err, "0xa0000-0xbffff") {
		t.Errorf("what is missing is not said: %s", r)
	}
	l.must(0, "dump", "--format", "raw", "lab", l.path("a.raw"))
	l.must(0, "dump", "--format", "kdump", "lab", l.path("a.kdump"))
	if s := l.show("lab"); s.Suspended != "skep pause" {
		t.Errorf("after the dumps it is %s", s.State)
	}
	l.must(2, "dump", "lab", l.path("a.elf"))
	l.must(2, "dump", "--format", "minidump", "lab", l.path("b"))

	if out, err := exec.Command("readelf", "-hl", l.path("a.elf")).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("ELF64")) ||
		!bytes.Contains(out, []byte("CORE (Core file)")) || bytes.Contains(out, []byte("Warning")) {
		t.Errorf("readelf: %v\n%s", err, out)
	}
	raw, err := os.Open(l.path("a.raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	f, err := elf.Open(l.path("a.elf"))
	if err != nil || f.Class != elf.ELFCLASS64 {
		t.Fatal(f, err)
	}
	defer f.Close()
	memory, banner, notes := uint64(0), 0, false
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			notes = notes || p.Type == elf.PT_NOTE
			continue
		}
		memory += p.Filesz
		b, err := io.ReadAll(p.Open())
		if err != nil {
			t.Fatal(err)
		}
		banner += bytes.Count(b, []byte("Linux version "))
		same := make([]byte, len(b))
		if p.Paddr < 4<<30 {
			if _, err := raw.ReadAt(same, int64(p.Paddr)); err != nil && err != io.EOF || !bytes.Equal(b, same) {
				t.Errorf("%#x and on differ (%v)", p.Paddr, err)
			}
		}
	}
	if memory < 511<<20 || banner == 0 || !notes {
		t.Errorf("%d bytes of memory, %d banners, notes %v", memory, banner, notes)
	}
	info, err := os.Stat(l.path("a.raw"))
	if err != nil || info.Sys().(*syscall.Stat_t).Blocks*512 > 400<<20 {
		t.Errorf("the raw file is not sparse: %v, %v", info, err)
	}
	l.must(0, "kill", "lab")
	l.nothingLeft()
}

// A dump that the disk has no room for leaves nothing, says so, and the guest goes on.
func TestDumpOnAFullDisk(t *testing.T) {
	needCells(t)
	l := newLab(t)
	dir := l.path("small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("needs to mount a tmpfs: " + err.Error())
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	l.cell("web", "accel = \"tcg\"\nmemory = \"64M\"\nscreen {}")
	l.must(0, "up", "web")
	r := l.must(1, "dump", "--format", "kdump", "web", dir+"/d")
	if left, _ := os.ReadDir(dir); len(left) > 0 || !strings.Contains(r.err, "no space left") {
		t.Errorf("%v is left: %s", left, r)
	}
	c := l.live("console", "web")
	c.send("x")
	c.expect(slow, "x")
	l.must(0, "down", "web")
	_ = syscall.Unmount(dir, syscall.MNT_DETACH)
	l.nothingLeft()
}
