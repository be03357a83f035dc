package probe

import (
	"os"
	"path/filepath"
	"testing"
)

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
