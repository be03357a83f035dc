package cli

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/store"
)

// crashPoint has a command kill itself where the environment says, as package keeper does: tests see by it
// that the same command finishes what was cut off.
func crashPoint(at string) {
	if os.Getenv("SKEP_TEST_CRASH_AT") == at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// aside is where a file is written before it gets its name. No other command uses that name.
func aside(to string) string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return filepath.Join(filepath.Dir(to), "."+filepath.Base(to)+".new-"+hex.EncodeToString(b[:]))
}

// undoClone removes what a clone has made that was cut off: its copies, by their own names or those that they
// were given, and the UEFI variables, for which alone there was a directory. A file that somebody else has put
// there stays. The caller holds the locks of both cells.
func undoClone(st *store.Store, u *store.Unfinished) error {
	var errs []error
	for _, c := range u.Copies {
		halves, _ := filepath.Glob(quoteGlob(filepath.Dir(c.Aside)+"/."+filepath.Base(c.Aside)) + ".*")
		if isCopied(c) {
			halves = append(halves, c.To)
		}
		for _, path := range append(halves, c.Aside) {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	dir := st.StateDir(u.To)
	if exists(dir) {
		halves, _ := filepath.Glob(quoteGlob(filepath.Join(dir, "."+strings.TrimSuffix(layout.Vars, ".fd"))) + "*.*")
		for _, path := range append(halves, filepath.Join(dir, layout.Vars), filepath.Join(dir, layout.VarsSecure), dir) {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fault.Wrap(fault.Host, err, "", "remove what an unfinished clone has left")
	}
	return st.Done(u)
}

// isCopied says whether what has the name of a copy is that copy.
func isCopied(c store.Copied) bool {
	if c.Inode == 0 {
		return false
	}
	now := c
	return numbersOf(c.To, &now) == nil && now == c
}

// numbersOf takes down which file it is.
func numbersOf(path string, c *store.Copied) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		c.Dev, c.Inode = uint64(st.Dev), uint64(st.Ino) //nolint:unconvert // their types differ between systems
	}
	return nil
}

func quoteGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// halfRenamed refuses a cell that is on its way to another name, or from one.
func halfRenamed(st *store.Store, name string) error {
	u := st.BegunOf(name)
	if u == nil || u.Verb != "rename" {
		return nil
	}
	return fault.New(fault.Input, "skep rename "+u.From+" "+u.To+" finishes it", "start %s: renaming %s to %s was cut off", name, u.From, u.To)
}
