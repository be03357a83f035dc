package keeper

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"skep/internal/plan"
)

// strip removes every file of the room; what is mounted on stays.
//
// It cannot be made read-only again: tmpfs(5) refuses that as long as a removed
// file is mapped, and bhyve is. So what is left of it, empty directories, is
// made immutable, which a jail of securelevel 3 can undo as little.
func strip(s *plan.Tree) error {
	if s.Existing {
		return nil
	}
	if err := readOnly(s, false); err != nil {
		return err
	}
	root, err := os.OpenRoot(s.Path)
	if err != nil {
		return err
	}
	defer root.Close()
	dirs := map[string]bool{}
	var errs []error
	remove := func(room string) {
		p := below(room)
		if err := root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		for d := filepath.Dir(p); d != "."; d = filepath.Dir(d) {
			dirs[d] = true
		}
	}
	for _, f := range s.Files {
		remove(f.Room)
	}
	for _, c := range s.Copies {
		remove(c.Room)
	}
	left := []string{"."}
	for _, d := range slices.Sorted(maps.Keys(dirs)) {
		left = append(left, d)
	}
	for _, d := range slices.Backward(left) { // the deepest first
		if d != "." && root.Remove(d) == nil {
			continue
		}
		errs = append(errs, immutable(filepath.Join(s.Path, d), true))
	}
	return errors.Join(errs...)
}

// immutable sets or clears schg of chflags(1) on a directory of the room.
func immutable(dir string, on bool) error {
	const schg = 0x00020000 // SF_IMMUTABLE, sys/sys/stat.h
	flags := 0
	if on {
		flags = schg
	}
	err := unix.Chflags(dir, flags)
	if errors.Is(err, fs.ErrNotExist) && !on {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "chflags", Path: dir, Err: err}
	}
	return nil
}

// unlock makes the directories of the room writable for us again.
func unlock(s *plan.Tree) error {
	if s.Existing {
		return nil
	}
	dirs := map[string]bool{".": true}
	for _, f := range s.Files {
		for d := filepath.Dir(below(f.Room)); d != "."; d = filepath.Dir(d) {
			dirs[d] = true
		}
	}
	for _, d := range slices.Sorted(maps.Keys(dirs)) {
		if err := immutable(filepath.Join(s.Path, d), false); err != nil {
			return err
		}
	}
	return nil
}
