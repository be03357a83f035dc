package companion

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A program is believed where it is the one of this build, beside skep or installed, and nobody else's to write.
func TestFind(t *testing.T) {
	top := t.TempDir()
	self := filepath.Join(top, "bin", "skep")
	write := func(path, text string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	const id = "one/two/three/four"
	write(self, "skep", 0o755)
	if got := find(self, id); got != "" {
		t.Errorf("%q, and there is none", got)
	}
	beside, installed := filepath.Join(top, "bin", Name), filepath.Join(top, "libexec", "skep", Name)
	write(installed, "\x7fELF "+id+" code", 0o755)
	if got := find(self, id); got != installed {
		t.Errorf("installed: %q", got)
	}
	write(beside, "\x7fELF "+id+" code", 0o755)
	if got := find(self, id); got != beside {
		t.Errorf("beside: %q", got)
	}
	os.Remove(installed)
	write(self, "skep", 0o775)
	write(beside, id, 0o775)
	if got := find(self, id); got != beside {
		t.Errorf("as skep itself, its group's to write: %q", got)
	}
	write(self, "skep", 0o755)
	for what, write := range map[string]func(){
		"another build's":          func() { write(beside, "\x7fELF one/two/three/five", 0o755) },
		"its ID far into the file": func() { write(beside, strings.Repeat(" ", idWithin)+id, 0o755) },
		"everybody's to write":     func() { write(beside, id, 0o757) },
		"its group's to write":     func() { write(beside, id, 0o775) },
		"no program":               func() { write(beside, id, 0o644) },
	} {
		write()
		if got := find(self, id); got != "" {
			t.Errorf("%s: %q is believed", what, got)
		}
	}
}
