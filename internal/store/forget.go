package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"skep/internal/layout"
)

// Forget removes what is kept of a cell that does not run: its last state, its
// logs and its UEFI variables. The caller holds the cell's lock. It returns
// the paths that were removed, those of layers, of captures, of evidence and of disks for results, which
// hold the guest's data and stay; a file that skep has not made stays and is an error.
func (s *Store) Forget(name string) (removed, kept []string, err error) {
	dir := s.StateDir(name)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var errs []error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if isLayer(e.Name()) || e.Name() == layout.Evidence || strings.HasSuffix(e.Name(), layout.ResultsSuffix) || layout.IsCapture(e.Name()) {
			kept = append(kept, path)
			continue
		}
		if !ours(e.Name()) {
			errs = append(errs, fmt.Errorf("%s stays: skep has not made it", path))
			continue
		}
		if err := os.Remove(path); err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, path)
	}
	if len(errs) > 0 || len(kept) > 0 {
		return removed, kept, errors.Join(errs...)
	}
	return removed, nil, os.Remove(dir)
}

// isLayer says whether a file in a cell's state directory is the layer of a disk,
// or says what that lies on, or is its TPM's: it holds the guest's data.
func isLayer(name string) bool {
	return strings.HasPrefix(name, layout.LayerPrefix) || name == layout.Snapshots || name == layout.TPM
}

// ours says whether a file in a cell's state directory is one of skep's: one
// that is remembered, what a crash left of writing it, or an empty directory
// of a loader's scratch copies, which os.Remove leaves where it is not empty.
func ours(name string) bool {
	for _, f := range layout.StateFiles() {
		if name == f || strings.HasPrefix(name, "."+f+".") {
			return true
		}
	}
	if strings.HasPrefix(name, layout.DisposablePrefix) || strings.HasPrefix(name, "."+layout.LayerPrefix) {
		return true // a layer that goes with its cell, or was never finished
	}
	if strings.HasPrefix(name, ".") && strings.Contains(name, layout.ResultsSuffix+".") {
		return true // a disk for results that was never finished
	}
	return name == layout.Loader || layout.IsNetworkLog(name)
}
