package image

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/layout"
)

// What was imported and had no digest yet when the host went down may not be whole: it is refused. In the same
// boot it gets its digest, and that of its source from who has it.
func TestSettled(t *testing.T) {
	s, err := Open(layout.Dirs{State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.Create(filepath.Join(t.TempDir(), "source"))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if _, err := io.WriteString(source, "abc"); err != nil {
		t.Fatal(err)
	}
	tmp, err := s.temporary()
	if err != nil {
		t.Fatal(err)
	}
	defer tmp.Close()
	if err := tmp.Truncate(digestNow + 512); err != nil {
		t.Fatal(err)
	}
	i, err := s.keep("large", Source{Name: "source", Format: "raw", Size: 3}, tmp, source, nil)
	if err != nil || i.Digest != "" || i.Source.Digest != "" {
		t.Fatalf("%+v, %v", i, err)
	}
	now := i.Boot
	i.Boot = now + "another"
	if err := s.describe(i, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SettledFrom("large", source); err == nil || !strings.Contains(err.Error(), "the host went down") {
		t.Errorf("what the host lost is taken: %v", err)
	}
	if err := s.Export("large", filepath.Join(t.TempDir(), "copy"), nil); err == nil || !strings.Contains(err.Error(), "the host went down") {
		t.Errorf("what the host lost is exported: %v", err)
	}
	i.Boot = now
	if err := s.describe(i, true); err != nil {
		t.Fatal(err)
	}
	i, err = s.SettledFrom("large", source)
	const abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if err != nil || len(i.Digest) != len(abc) || i.Source.Digest != abc || i.Boot != "" {
		t.Errorf("%+v, %v", i, err)
	}
}

// The bytes of two small images that are the same are kept once, and an import that reads what it has imported
// keeps nobody from using it.
func TestKeptOnce(t *testing.T) {
	s, err := Open(layout.Dirs{State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.Create(filepath.Join(t.TempDir(), "source"))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if _, err := io.WriteString(source, "abc"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		tmp, err := s.temporary()
		if err != nil {
			t.Fatal(err)
		}
		defer tmp.Close()
		if err := tmp.Truncate(1 << 20); err != nil {
			t.Fatal(err)
		}
		if i, err := s.keep(name, Source{Name: "source", Format: "raw", Size: 3}, tmp, source, nil); err != nil || i.Digest == "" {
			t.Fatalf("%+v, %v", i, err)
		}
		if err := s.unused(name); err != nil {
			t.Errorf("%s was imported, and %v", name, err)
		}
	}
	if !same(s.File("one"), s.File("two")) {
		t.Error("the same bytes are kept twice")
	}
}
