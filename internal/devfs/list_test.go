package devfs

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestList(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"vmm", "zvol/tank"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"null", "vmm/web", "zvol/tank/a"} {
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A link is listed and not followed, wherever it leads.
	if err := os.Symlink("/etc", filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	nodes, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []Node{
		{Path: "log", Kind: Symlink}, {Path: "null"}, {Path: "vmm", Kind: Directory}, {Path: "vmm/web"},
		{Path: "zvol", Kind: Directory}, {Path: "zvol/tank", Kind: Directory}, {Path: "zvol/tank/a"},
	}
	if !reflect.DeepEqual(nodes, want) {
		t.Errorf("got  %+v\nwant %+v", nodes, want)
	}
	if _, err := List(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
}
