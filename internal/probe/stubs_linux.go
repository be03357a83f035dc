package probe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/elf"
	"skep/internal/host"
	"skep/internal/hypervisor"
)

// makeStubs makes what can be in the place of libraries that QEMU has linked and a cell's devices do not reach, and
// returns the files to watch. They lie in the cache, in a directory that is named by the SHA-256 of this QEMU and of
// all that may be loaded beside it, and are believed once QEMU was loaded with them. Where any of that
// fails there are none, and every cell has the libraries.
func makeStubs(ctx context.Context, within time.Duration, c cache, q *host.QEMU, binary []byte, linked map[string]elf.File) []string {
	if c.dir == "" {
		return nil
	}
	files, imports := slices.Sorted(maps.Keys(linked)), map[string]*elf.Imports{}
	sum := sha256.New()
	sum.Write(binary)
	for _, f := range files {
		b, err := os.ReadFile(linked[f].Host)
		if err != nil {
			return nil
		}
		sum.Write(b)
		if imports[f], err = elf.ImportsOf(linked[f].Host); err != nil {
			return nil
		}
	}
	dir := filepath.Join(c.dir, "stubs", hex.EncodeToString(sum.Sum(nil)))
	// QEMU is run with what is in it, here and not in a jail yet: nobody else may put a library there.
	if os.MkdirAll(dir, 0o700) != nil || Trusted(dir) != nil || !executable(dir) {
		return nil
	}
	forgetOthers(dir)
	lock, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer lock.Close()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX) != nil { // one maker at a time
		return nil
	}
	var stubs []host.Stub
	for _, inside := range files {
		f := linked[inside]
		if f.Name == "" || !hypervisor.MayBeUnreached(f.Name) {
			continue
		}
		var besides []*elf.Imports
		for other, i := range imports {
			if other != inside {
				besides = append(besides, i)
			}
		}
		path := filepath.Join(dir, f.Name)
		text, err := elf.Stub(f.Host, besides)
		if err == nil {
			err = place(path, text)
		}
		if err != nil {
			continue // this library stays
		}
		o, err := elf.Read(path)
		if err != nil {
			return nil
		}
		stubs = append(stubs, host.Stub{File: host.File{Host: path, Inside: inside}, Library: f.Name, Code: o.Code})
	}
	if !loads(ctx, within, q, dir) {
		return nil
	}
	q.Stubs, q.Linked = stubs, map[string]host.Linked{}
	var watch []string
	for inside, f := range linked {
		q.Linked[inside] = host.Linked{Needs: f.Needs, Code: f.Code}
	}
	for _, s := range stubs {
		watch = append(watch, s.Host)
	}
	return watch
}

// stubMode lets the user in a jail load a stub, whatever umask it was made under.
const stubMode = 0o755

// place writes a file, unless it is there: a cell may be about to start with it.
func place(path string, text []byte) error {
	fresh := path + ".new" // one name for all: the next maker removes what one that was killed has left
	_ = os.Remove(fresh)
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, text) {
		return os.Chmod(path, stubMode)
	}
	if err := os.WriteFile(fresh, text, stubMode); err != nil {
		return err
	}
	if err := os.Chmod(fresh, stubMode); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// othersFor is how long stubs of another QEMU are kept: it may be used in turns with this one.
const othersFor = 30 * 24 * time.Hour

func forgetOthers(dir string) {
	now := time.Now()
	_ = os.Chtimes(dir, now, now)
	entries, _ := os.ReadDir(filepath.Dir(dir))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > othersFor {
			_ = os.RemoveAll(filepath.Join(filepath.Dir(dir), e.Name()))
		}
	}
}

// executable says whether programs may be run from a directory.
func executable(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && fs.Flags&unix.ST_NOEXEC == 0
}

// loads says whether a QEMU is loaded with all of the stubs at once: every symbol is found, no constructor misses one.
func loads(ctx context.Context, within time.Duration, q *host.QEMU, dir string) bool {
	said := askWith(ctx, within, []string{"LD_LIBRARY_PATH=" + dir, "LD_BIND_NOW=1"}, q.Path, "--version")
	return said.err == nil && parseVersion(said.out) == q.Version && !strings.Contains(said.errs, "no version information")
}
