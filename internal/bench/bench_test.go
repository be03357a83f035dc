package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSeries(t *testing.T) {
	s := series{5, 1, 3, 2, 4}
	for part, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.75: 4, 1: 5} {
		if got := s.at(part); got != want {
			t.Errorf("at(%v) = %v, want %v", part, got, want)
		}
	}
	if (series{}).at(0.5) != 0 {
		t.Error("an empty series has a median")
	}
}

// The bare command line must differ from the plan's in nothing that takes time.
func TestPlain(t *testing.T) {
	got := plain([]string{"-name", "guest=x", "-S", "-m", "size=64M", "-add-fd", "fd=5,set=5", "-blockdev",
		"driver=file,node-name=flash0,filename=/dev/fdset/6,read-only=on"}, "/r")
	want := []string{"-m", "size=64M", "-blockdev", "driver=file,node-name=flash0,read-only=on,filename=/r",
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestFirstByte(t *testing.T) {
	if _, err := firstByte(strings.NewReader("hello from a guest"), time.Now()); err != nil {
		t.Error(err)
	}
	for _, other := range []string{"", "hell", "QEMU: no"} {
		if _, err := firstByte(strings.NewReader(other), time.Now()); err == nil {
			t.Errorf("%q passes for the greeting", other)
		}
	}
}

func TestPrivateKiB(t *testing.T) {
	f := filepath.Join(t.TempDir(), "smaps_rollup")
	if err := os.WriteFile(f, []byte("Rss: 90 kB\nPrivate_Clean:       12 kB\nPrivate_Dirty:     3000 kB\nPrivate_Hugetlb: 7 kB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := privateKiB(f); n != 3012 || err != nil {
		t.Error(n, err)
	}
}
