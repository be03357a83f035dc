package probe

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// In a directory of somebody else, or that others may write to, nothing is made, and no QEMU is run with what they
// may have put there.
func TestStubsDistrust(t *testing.T) {
	stubs := func(spoil func(dir string) error) int {
		t.Helper()
		o := at(t, nil)
		dir := o.Dirs.Cache()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		q := probeOK(t, o).Linux.QEMU
		if q == nil {
			t.Skip("no QEMU")
		}
		return len(q.Stubs)
	}
	if stubs(func(string) error { return nil }) == 0 {
		t.Skip("no stubs can be made on this host")
	}
	if n := stubs(func(dir string) error { return os.Chmod(dir, 0o777) }); n > 0 {
		t.Errorf("open to all: %d stubs are made in it", n)
	}
	if os.Geteuid() != 0 {
		return
	}
	if n := stubs(func(dir string) error { return os.Chown(dir, 1000, 1000) }); n > 0 {
		t.Errorf("of a user: %d stubs are made in it", n)
	}
}

// A stub can be loaded by whoever is in the jail, whatever umask it was made or found under.
func TestPlaceForAll(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	path := filepath.Join(t.TempDir(), "lib.so.1")
	for range 2 {
		if err := place(path, []byte("stub")); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if err := os.Chmod(path, 0o700); err != nil { // as an earlier skep has left it
			t.Fatal(err)
		}
	}
}

// What a maker of stubs has left that was killed in the middle is gone with the next one.
func TestPlaceAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lib.so.1")
	for _, text := range []string{"", "stub", "stub", "another stub"} {
		if err := os.WriteFile(path+".new", []byte("half of it, and more than that"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := place(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("%q, %v", b, err)
		}
		if _, err := os.Stat(path + ".new"); err == nil {
			t.Error("what was left is there still")
		}
	}
}
