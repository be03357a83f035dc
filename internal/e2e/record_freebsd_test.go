package e2e

import (
	"debug/elf"
	"os"
	"strings"
	"testing"
)

// A guest whose time is over ends with a status of its own, though it has no ACPI to hear a power button by.
func TestTimeLimit(t *testing.T) {
	l := clean(t)
	l.cell("timed", "stop_timeout = \"2s\"")
	r := l.must(7, "run", "timed", "--time-limit", "2s")
	if !strings.Contains(r.err, "time limit") {
		t.Errorf("its end: %s", r)
	}
}

// Keys, the pointer and pictures go over VNC.
func TestHands(t *testing.T) {
	l := clean(t)
	l.cell("shown", "screen {}")
	l.must(0, "up", "shown")
	l.must(0, "type", "shown", "hello")
	l.must(0, "key", "shown", "ctrl-alt-del")
	l.must(0, "click", "shown", "5", "5")
	l.must(2, "click", "shown", "9999", "5")
	l.must(0, "screenshot", "--every", "500ms", "--max", "2", "-o", l.path("shots"), "shown")
	if some, err := os.ReadDir(l.path("shots")); err != nil || len(some) != 3 { // and a sheet
		t.Errorf("%v, %v", some, err)
	}
	l.must(0, "down", "shown")
}

// The memory of a guest is dumped from the VM's segments, and the evidence of its run is verified.
func TestDumpAndEvidence(t *testing.T) {
	l := clean(t)
	l.cell("lab", "memory = \"64M\"\nevidence = true")
	l.must(0, "up", "lab")
	l.must(0, "dump", "lab", l.path("lab.elf"))
	l.must(0, "dump", "--format", "raw", "lab", l.path("lab.raw"))
	l.must(1, "dump", "--format", "kdump", "lab", l.path("lab.kdump"))
	f, err := elf.Open(l.path("lab.elf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Class != elf.ELFCLASS64 || len(f.Progs) != 1 || f.Progs[0].Filesz != 64<<20 {
		t.Errorf("%v, %d parts", f.Class, len(f.Progs))
	}
	if info, err := os.Stat(l.path("lab.raw")); err != nil || info.Size() != 64<<20 {
		t.Errorf("the raw file: %v, %v", info, err)
	}
	l.must(0, "stats", "lab")
	l.must(0, "down", "lab")
	tar := l.path("lab.tar")
	l.must(0, "evidence", "lab", "-o", tar)
	l.must(0, "evidence", "verify", tar)
	b, err := os.ReadFile(tar)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(tar, b, 0o600); err != nil {
		t.Fatal(err)
	}
	l.must(1, "evidence", "verify", tar)
}
