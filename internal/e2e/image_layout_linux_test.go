package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Images go to another host as an OCI image layout, a directory or a tar, and are the same there. What was changed
// on the way is refused, and ensure takes one that is missing.
func TestImageLayout(t *testing.T) {
	needCells(t)
	t.Parallel()
	l, other := newLab(t), newLab(t)
	raw := l.sample("a.raw")
	want := "sha256:" + sha256Of(t, raw)
	l.must(0, "image", "import", "one", raw)
	l.must(0, "image", "import", "two", raw)
	dir, file := l.path("layout"), l.path("layout.tar")
	l.must(0, "image", "save", "one", "two", dir)
	l.must(0, "image", "save", "one", file)
	var index struct {
		Manifests []struct{ Annotations map[string]string }
	}
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	l.try(err)
	l.try(json.Unmarshal(b, &index))
	blobs, _ := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	if len(index.Manifests) != 2 || len(blobs) != 5 { // two manifests and configurations, one disk
		t.Errorf("%d manifests, %d blobs", len(index.Manifests), len(blobs))
	}
	digests := func() string {
		var all []string
		for _, i := range other.images().Images {
			all = append(all, i.Name+" "+i.Digest)
		}
		return strings.Join(all, ", ")
	}
	other.must(0, "image", "load", dir, "two")
	other.must(0, "image", "ensure", "one", "--from", file)
	if got := digests(); got != "one "+want+", two "+want {
		t.Errorf("%s", got)
	}
	other.must(2, "image", "load", dir, "two")
	other.must(2, "image", "load", dir, "three")
	other.must(2, "image", "load", l.dir)
	other.must(0, "image", "rm", "one", "two")
	other.must(0, "image", "load", dir)
	other.must(0, "image", "rm", "one", "two")
	// A bit that is another one.
	for _, path := range blobs {
		b, err := os.ReadFile(path)
		l.try(err)
		b[len(b)/2] ^= 1
		l.try(os.Chmod(path, 0o600))
		l.try(os.WriteFile(path, b, 0o600))
		other.must(2, "image", "load", dir, "one", "two")
		b[len(b)/2] ^= 1
		l.try(os.WriteFile(path, b, 0o600))
		_ = other.skep("image", "rm", "one", "two")
	}
	if left, _ := filepath.Glob(other.path("state/images/*/*/*")); len(left) > 0 {
		t.Errorf("%v", left)
	}
	if left, _ := os.ReadDir(other.path("state/images/tmp")); len(left) > 0 {
		t.Errorf("%v", left)
	}
}
