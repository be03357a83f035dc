package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// onSector is where the guest of these tests reads and writes.
const onSector = 7 * 512

// baseImage makes an image of a size with words where the guest reads.
func (l *lab) baseImage(name, words string, size int64) string {
	l.t.Helper()
	path := l.path(name)
	f, err := os.Create(path)
	l.try(err)
	defer f.Close()
	_, err = f.WriteAt([]byte(words), onSector)
	l.try(err)
	l.try(f.Truncate(size))
	return path
}

// layersOf lists the files of layers in a cell's state.
func (l *lab) layersOf(name string) (files []string) {
	found, _ := filepath.Glob(l.path("state/cells/" + name + "/*"))
	for _, path := range found {
		if base := filepath.Base(path); strings.Contains(base, "layer") || strings.Contains(base, "disposable") {
			files = append(files, base)
		}
	}
	return files
}

func fingerprint(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %d %x", info.Size(), info.Mode(), sha256.Sum256(b))
}
