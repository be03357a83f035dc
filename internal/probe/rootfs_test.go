//go:build linux || freebsd

package probe

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"skep/internal/host"
)

// furnish copies files into a new root, and nothing else.
func furnish(t *testing.T, root string, files []host.File) {
	t.Helper()
	for _, f := range files {
		to := filepath.Join(root, f.Inside)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		in, err := os.Open(f.Host)
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, in); err != nil {
			t.Fatal(err)
		}
		in.Close()
		out.Close()
	}
}
