package ocilayout

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/fault"
	"skep/internal/image"
	"skep/internal/layout"
)

// What a layout names may be of any size: of its index and its descriptions only so much is read.
func TestLayoutBounds(t *testing.T) {
	dir := t.TempDir()
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string, size int64) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, max(size, int64(len(text)))); err != nil {
			t.Fatal(err)
		}
	}
	const huge = 64 << 30
	sum := strings.Repeat("ab", 32)
	write("blobs/sha256/"+sum, "", huge)
	write("oci-layout", `{"imageLayoutVersion": "1.0.0"}`, 0)
	index := fmt.Sprintf(`{"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:%s",
		"size": %d, "annotations": {"org.opencontainers.image.ref.name": "one"}}]}`, sum, int64(huge))
	write("index.json", index, 0)
	s, err := image.Open(layout.Dirs{State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	both := func(look func(path string)) {
		look(dir)
		tarred := filepath.Join(t.TempDir(), "layout.tar")
		f, err := os.Create(tarred)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := os.Truncate(filepath.Join(blobs, sum), 4096); err != nil { // a tar has it whole
			t.Fatal(err)
		}
		if err := tarOf(f, dir); err != nil {
			t.Fatal(err)
		}
		look(tarred)
	}
	both(func(path string) {
		l, err := Open(path)
		if err != nil || strings.Join(l.Names(), " ") != "one" {
			t.Fatalf("%v, %v", l, err)
		}
		_, err = l.Load(t.Context(), s, "one", image.Import{Name: "one"})
		if fault.CodeOf(err) != fault.Input || !strings.Contains(err.Error(), "a description of 68719476736 bytes") {
			t.Errorf("%s: %v", path, err)
		}
	})
	write("index.json", index, mostIndex+1)
	both(func(path string) {
		if _, err := Open(path); fault.CodeOf(err) != fault.Input || !strings.Contains(err.Error(), "its index.json has more than") {
			t.Errorf("%s: %v", path, err)
		}
	})
}
