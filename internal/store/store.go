// Package store keeps what skep must remember: which cells are held and by
// whom, what each has taken from the host, and what became of it.
//
// Where its files lie is package layout's to say.
//
// The kernel's state is the truth. A lock is a flock(2), so it cannot outlive
// its holder; a state file that says "running" without a held lock is a story
// that a dead keeper told.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/layout"
	"skep/internal/probe"

	"skep/internal/fault"
	"skep/internal/host"
)

// Store is the pair of directories.
type Store struct {
	dirs host.Dirs
}

// Open makes the directories that are missing. They are the owner's alone:
// the sockets and logs of guests are nobody else's business.
func Open(dirs host.Dirs) (*Store, error) {
	s := &Store{dirs}
	// A run directory that others may write to would let them plant journals,
	// so nothing is made in one either.
	if err := Private(dirs); err != nil {
		return nil, err
	}
	for _, d := range []string{
		dirs.Run, dirs.State,
		dirs.Locks(), dirs.Slots(), dirs.RunDirs(), dirs.StateDirs(), dirs.Cache(),
	} {
		if err := makeDir(d); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Usable says why no cell could be kept in the directories; nothing is made.
func Usable(dirs host.Dirs) error {
	for _, d := range []string{dirs.Run, dirs.State} {
		at := d
		for ; at != filepath.Dir(at); at = filepath.Dir(at) {
			if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
				break
			}
		}
		if err := probe.Trusted(d); err != nil {
			return err
		}
		err := unix.Access(at, unix.W_OK|unix.X_OK)
		var st unix.Statfs_t
		if err == nil && unix.Statfs(at, &st) == nil && st.Blocks > 0 && st.Bavail <= 0 {
			err = unix.ENOSPC
		}
		if err != nil {
			return fault.Wrap(fault.Host, err, "choose other directories with SKEP_STATE_DIR and SKEP_RUN_DIR", "write to %s", at)
		}
	}
	return nil
}

func makeDir(d string) error {
	if err := os.MkdirAll(d, 0o700); err != nil {
		return fault.Wrap(fault.Host, err, "choose other directories with SKEP_STATE_DIR and SKEP_RUN_DIR", "make the directory %s", d)
	}
	return nil
}

// View opens the store for reading only: nothing is made, and directories that
// are not there read as empty.
func View(dirs host.Dirs) *Store { return &Store{dirs} }

// Private refuses directories that another user could change: what is planted
// there would be released, signalled or believed in this user's name.
func Private(dirs host.Dirs) error {
	if err := probe.Trusted(dirs.Run); err != nil {
		return err
	}
	return probe.Trusted(dirs.State)
}

// Dirs are the directories of the store.
func (s *Store) Dirs() host.Dirs { return s.dirs }

// RunDir is the directory of a running cell's journal, state and sockets.
func (s *Store) RunDir(name string) string { return s.dirs.RunDir(name) }

// StateDir is the directory of what stays of a cell: logs, UEFI variables.
func (s *Store) StateDir(name string) string { return s.dirs.StateDir(name) }

// EvidenceDir is where the evidence of a run is gathered.
func (s *Store) EvidenceDir(name, run string) string { return s.dirs.EvidenceDir(name, run) }

// MakeStateDir makes StateDir.
func (s *Store) MakeStateDir(name string) error {
	if err := os.MkdirAll(s.StateDir(name), 0o700); err != nil {
		return fault.Wrap(fault.Host, err, "", "make the directory %s", s.StateDir(name))
	}
	return nil
}

// RunNames lists the cells that have a run directory, sorted.
func (s *Store) RunNames() ([]string, error) {
	entries, err := os.ReadDir(s.dirs.RunDirs())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Host, err, "", "list the running cells")
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// HasJournal says whether a cell holds, or once held, anything.
func (s *Store) HasJournal(name string) bool {
	_, err := os.Stat(s.JournalPath(name))
	return err == nil
}

// Names lists every cell that the store knows of, running or not, sorted. What
// has no name of a cell's is skep's own.
func (s *Store) Names() ([]string, error) {
	seen := map[string]bool{}
	for _, d := range []string{s.dirs.RunDirs(), s.dirs.StateDirs()} {
		entries, err := os.ReadDir(d)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fault.Wrap(fault.Host, err, "", "list the cells in %s", d)
		}
		for _, e := range entries {
			if e.IsDir() && cell.ValidInstance(e.Name()) == nil {
				seen[e.Name()] = true
			}
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	return names, nil
}

// writeAside replaces a file as a whole: whoever reads it, and whenever the
// power fails, finds the old bytes or the new ones.
func writeAside(path string, data []byte, durable bool) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = func() error {
		if _, err := tmp.Write(data); err != nil {
			return err
		}
		if durable {
			return tmp.Sync()
		}
		return nil
	}()
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if durable {
		return syncDir(filepath.Dir(path))
	}
	return nil
}

// WriteDurable replaces a file as a whole and syncs it to the disk.
func WriteDurable(path string, data []byte) error { return writeAside(path, data, true) }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// MakeRunDir makes the run directory of a cell.
func (s *Store) MakeRunDir(name string) error { return os.MkdirAll(s.RunDir(name), 0o700) }

// ForgetRunning removes what says that a cell runs. Its journal stays: it names what could not be released.
func (s *Store) ForgetRunning(name string) error {
	var errs []error
	for _, f := range []string{layout.State, layout.Detail} {
		if err := os.Remove(filepath.Join(s.RunDir(name), f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// RemoveRunDir removes the run directory of a cell whose resources have all
// been released. Only files of ours are removed; anything else stays, and is
// said.
func (s *Store) RemoveRunDir(name string) error {
	dir := s.RunDir(name)
	for _, f := range layout.RunFiles() {
		if err := os.Remove(filepath.Join(dir, f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove %s: %w", filepath.Join(dir, f), err)
		}
	}
	// What a crash left half-written.
	if entries, err := os.ReadDir(dir); err == nil {
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "."+layout.State+".") || strings.HasPrefix(e.Name(), "."+layout.Detail+".") {
				os.Remove(filepath.Join(dir, e.Name()))
			}
		}
	}
	// FreeBSD's rc.d/cleanvar takes the files of /var/run at a start of the host,
	// the journal with them, and leaves directories: the rootfs's is one. What is
	// mounted on, or not empty, stays.
	for _, d := range []string{filepath.Join(dir, layout.Root), dir} {
		if err := os.Remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove %s: %w", d, err)
		}
	}
	return nil
}
