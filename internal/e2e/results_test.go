package e2e

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// hostileTar is an archive as a guest that means harm writes it.
func hostileTar(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, text string) {
		h.Mode, h.Size = 0o4777, int64(len(text))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	add(tar.Header{Name: "../../escaped", Typeflag: tar.TypeReg}, "x")
	add(tar.Header{Name: "/tmp/skep-escaped", Typeflag: tar.TypeReg}, "x")
	add(tar.Header{Name: "dir", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}, "")
	add(tar.Header{Name: "dir/through", Typeflag: tar.TypeReg}, "plain")
	add(tar.Header{Name: "sda", Typeflag: tar.TypeBlock, Devmajor: 8}, "")
	add(tar.Header{Name: "report.txt", Typeflag: tar.TypeReg}, "report")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// below lists what is below a directory, all of which have to be plain files.
func below(t *testing.T, dir string) (paths []string) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			t.Error(err)
		case d.IsDir():
		case !d.Type().IsRegular():
			t.Errorf("%s is %s", p, d.Type())
		default:
			rel, _ := filepath.Rel(dir, p)
			paths = append(paths, rel)
		}
		return nil
	})
	return paths
}
