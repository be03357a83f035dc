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

// An image that cannot be used keeps no other from being listed, and the list fails by it all the same.
func TestListUnusable(t *testing.T) {
	dir := t.TempDir()
	names := filepath.Join(dir, "state", "images", "names")
	if err := os.MkdirAll(names, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(names, "broken.json"), "{")
	write(t, filepath.Join(names, "lost.json"), `{"version": 1, "name": "lost", "boot": "another"}`)
	write(t, filepath.Join(names, "lost.raw"), "")
	write(t, filepath.Join(names, "whole.json"), `{"version": 1, "name": "whole", "digest": "sha256:00"}`)
	s := skepIn(t, dir, "image", "ls", "--json").want(t, fault.Host, "read what the image broken is", "use the image lost: the host went down")
	for _, name := range []string{"lost", "whole"} {
		if !strings.Contains(s.out, `"name": "`+name+`"`) {
			t.Errorf("%s is not listed:\n%s", name, s.out)
		}
	}
}
