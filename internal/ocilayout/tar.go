package ocilayout

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"skep/internal/fault"
	"skep/internal/image"
)

// SaveTar is Save into one file, a tar of the layout.
func SaveTar(ctx context.Context, s *image.Store, names []string, path string, say func(string, float64)) (err error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fault.Wrap(fault.Input, err, "", "write %s", path)
	}
	defer os.RemoveAll(dir)
	if err := Save(ctx, s, names, dir, say); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fault.Wrap(fault.Input, err, "name a file that is not there yet", "write %s", path)
	}
	if err = errors.Join(tarOf(f, dir), f.Close()); err != nil {
		os.Remove(path)
		return fault.Wrap(fault.Host, err, "df shows how full it is", "write %s", path)
	}
	return nil
}

// tarOf writes the plain files and directories below dir.
func tarOf(to io.Writer, dir string) error {
	w := tar.NewWriter(to)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Size: info.Size(), Typeflag: tar.TypeReg}
		if e.IsDir() {
			h.Name, h.Mode, h.Size, h.Typeflag = h.Name+"/", 0o755, 0, tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil || e.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
	return errors.Join(err, w.Close())
}

// readTar reads one plain file of a tar. Of two of a name the last is meant.
func readTar(path, name string) (b []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = fs.ErrNotExist
	for r := tar.NewReader(f); ; {
		h, terr := r.Next()
		switch {
		case errors.Is(terr, io.EOF):
			if err != nil {
				err = &fs.PathError{Op: "open", Path: name, Err: err}
			}
			return b, err
		case terr != nil:
			return nil, terr
		case filepath.Clean(h.Name) == name && h.Typeflag == tar.TypeReg:
			b, err = readBounded(r, name)
		}
	}
}
