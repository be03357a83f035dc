//go:build linux || freebsd

package provision

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/plan"
)

// One file as two disks: read twice it may be, written to it is given once, and
// then it is not said that somebody else has it.
func TestOneFileAsTwoDisks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.img")
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		first, _, err := openDisk(&plan.Disk{Label: "a", Type: plan.DiskFile, Path: path, ReadOnly: readOnly}, nil, nobody{})
		if err != nil {
			t.Fatal(err)
		}
		second, _, err := openDisk(&plan.Disk{Label: "b", Type: plan.DiskFile, Path: path, ReadOnly: readOnly}, map[string]*os.File{"disk:a": first}, nobody{})
		switch {
		case readOnly && err != nil:
			t.Error(err)
		case !readOnly && (err == nil || !strings.Contains(err.Error(), `the same file as disk "a"`)):
			t.Error(err)
		}
		if err == nil {
			second.Close()
		}
		first.Close()
	}
}
