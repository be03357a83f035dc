package provision

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

// strip removes every file of the rootfs; what is mounted on stays.
//
// It cannot be made read-only again: tmpfs(5) refuses that as long as a removed
// file is mapped, and bhyve is. So what is left of it, empty directories, is
// sealed.
func strip(s *plan.JailRootfs) error {
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
	remove := func(rootfs string) {
		p := below(rootfs)
		if err := root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		for d := filepath.Dir(p); d != "."; d = filepath.Dir(d) {
			dirs[d] = true
		}
	}
	for _, f := range s.Files {
		remove(f.Inside)
	}
	for _, c := range s.Copies {
		remove(c.Inside)
	}
	level, err := unix.SysctlUint32("kern.securelevel")
	raised := err == nil && int32(level) > 0
	left := append([]string{"."}, slices.Sorted(maps.Keys(dirs))...)
	for _, d := range slices.Backward(left) { // the deepest first
		if d != "." && root.Remove(d) == nil {
			continue
		}
		errs = append(errs, seal(filepath.Join(s.Path, d), raised))
	}
	return errors.Join(errs...)
}

const schg = 0x00020000 // SF_IMMUTABLE, sys/sys/stat.h

// seal makes a directory of the rootfs immutable: nothing can be made in it, and a
// jail of securelevel 3 cannot change that.
//
// Where the host's own securelevel is raised above 0 it could not be opened again
// for a reset. There the directory goes to somebody who is in no jail, and nobody may
// write to it: bhyve's user is another and has no rights over it.
func seal(dir string, raised bool) error {
	if raised {
		if err := os.Chmod(dir, 0o555); err != nil {
			return err
		}
		return os.Chown(dir, plan.NobodyUID, plan.NobodyUID)
	}
	if err := unix.Chflags(dir, schg); err != nil {
		return &fs.PathError{Op: "chflags", Path: dir, Err: err}
	}
	return nil
}

// unseal undoes both; one that is not there is no error.
func unseal(dir string) error {
	var st unix.Stat_t
	err := unix.Stat(dir, &st)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && st.Flags&schg != 0 {
		err = unix.Chflags(dir, 0)
	}
	if err != nil {
		return &fs.PathError{Op: "chflags", Path: dir, Err: err}
	}
	if st.Uid != plan.NobodyUID {
		return nil
	}
	if err := os.Chown(dir, 0, 0); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// unlock makes the directories of the rootfs writable for us again.
func unlock(s *plan.JailRootfs) error {
	if s.Existing {
		return nil
	}
	dirs := map[string]bool{".": true}
	for _, f := range s.Files {
		for d := filepath.Dir(below(f.Inside)); d != "."; d = filepath.Dir(d) {
			dirs[d] = true
		}
	}
	for _, d := range slices.Sorted(maps.Keys(dirs)) {
		if err := unseal(filepath.Join(s.Path, d)); err != nil {
			return err
		}
	}
	return nil
}
