package store

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"skep/internal/layout"
)

// hadDisk is a disk that a guest of the cell has had: what it holds since may be
// the guest's own doing.
type hadDisk struct {
	Path   string `json:"path"`
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

func (s *Store) hadPath(name string) string { return filepath.Join(s.StateDir(name), layout.Disks) }

func (s *Store) hadDisks(name string) (had []hadDisk) {
	if readJSON(s.hadPath(name), &had) != nil {
		return nil // as of a cell that has not run
	}
	return had
}

func identify(path string) (hadDisk, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return hadDisk{}, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return hadDisk{}, false
	}
	d := hadDisk{Path: path}
	if info.Mode().IsRegular() { // a device's node is made anew at each boot
		d.Device, d.Inode = uint64(st.Dev), uint64(st.Ino)
	}
	return d, true
}

// HadDisk says whether a guest of the cell has had the disk that lies at a path,
// to write to.
func (s *Store) HadDisk(name, path string) bool {
	d, ok := identify(path)
	return ok && slices.Contains(s.hadDisks(name), d)
}

// HadPaths are the paths of the disks that a guest of the cell has had.
func (s *Store) HadPaths(name string) (paths []string) {
	for _, d := range s.hadDisks(name) {
		paths = append(paths, d.Path)
	}
	return paths
}

// RememberDisks writes down which disks a guest has been given to write to.
func (s *Store) RememberDisks(name string, paths []string) error {
	var had []hadDisk
	for _, path := range paths {
		if d, ok := identify(path); ok {
			had = append(had, d)
		}
	}
	if slices.Equal(had, s.hadDisks(name)) {
		return nil
	}
	return writeJSON(s.hadPath(name), had, true)
}
