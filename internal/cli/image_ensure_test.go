package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/fault"
)

// An image comes from the one file of its name, and nothing is chosen where there are two.
func TestImageIn(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"debian-13.qcow2", "debian-13.json", "debian-130.raw", "two.raw", "two.qcow2", "plain"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"debian-13": "debian-13.qcow2", "plain": "plain"} {
		if got, err := imageIn(dir, name); err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	for name, want := range map[string]string{"two": "two.qcow2, two.raw", "none": "find the image none"} {
		if _, err := imageIn(dir, name); fault.CodeOf(err) != fault.Input || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := imageIn(filepath.Join(dir, "gone"), "x"); fault.CodeOf(err) != fault.Input {
		t.Errorf("no directory: %v", err)
	}
}
