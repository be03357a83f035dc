//go:build linux || freebsd

package probe

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"skep/internal/host"

	"golang.org/x/sys/unix"
)

// cacheVersion changes with the meaning of what is remembered.
const cacheVersion = 1

// maxCache bounds a remembered file; a larger one is not ours.
const maxCache = 4 << 20

// cache remembers expensive facts below the state directory. It is a
// convenience: what cannot be read, trusted or written is found out again.
type cache struct{ dir string } // "" remembers nothing

func (o Options) cache(d host.Dirs) cache {
	if o.NoCache || d.State == "" {
		return cache{}
	}
	return cache{d.Cache()}
}

type envelope struct {
	Version int             `json:"version"`
	Value   json.RawMessage `json:"value"`
}

var errDistrust = errors.New("not trusted")

// load fills v from what was remembered as name.
func (c cache) load(name string, v any) error {
	if c.dir == "" {
		return os.ErrNotExist
	}
	// What is remembered decides which files become the rootfs of every cell and
	// whether KVM is trusted. Root would build rootfs directories out of a list that an
	// ordinary user wrote if it took any file at this place. So the directory
	// is opened once, looked at, and the file opened below that very directory.
	dir, err := unix.Open(c.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err := trusted(dir, unix.S_IFDIR); err != nil {
		return err
	}
	// O_NONBLOCK: a FIFO here must not hang us before it is refused.
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	if err := trusted(fd, unix.S_IFREG); err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxCache))
	if err != nil {
		return err
	}
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return err
	}
	if e.Version != cacheVersion {
		return errDistrust
	}
	return json.Unmarshal(e.Value, v)
}

// trusted wants an inode of the given kind that is ours (or root's) and that
// no one else may write to.
func trusted(fd int, kind uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if uint32(st.Mode)&unix.S_IFMT != kind || st.Mode&0o022 != 0 {
		return errDistrust
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return errDistrust
	}
	return nil
}

// save remembers v as name. The error is for tests; callers go on without.
func (c cache) save(name string, v any) error {
	if c.dir == "" {
		return nil
	}
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b, err := json.Marshal(envelope{cacheVersion, value})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	// What load would not believe need not be written, and root writes nothing
	// into a directory that somebody else arranges.
	dir, err := unix.Open(c.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	err = trusted(dir, unix.S_IFDIR)
	unix.Close(dir)
	if err != nil {
		return err
	}
	// A reader sees the old file or the new one, never half of one. No fsync: a
	// file that a power cut damages is found out again.
	t, err := os.CreateTemp(c.dir, "."+name+"-*")
	if err != nil {
		return err
	}
	_, err = t.Write(b)
	err = errors.Join(err, t.Close())
	if err == nil {
		err = os.Rename(t.Name(), filepath.Join(c.dir, name))
	}
	if err != nil {
		os.Remove(t.Name())
	}
	return err
}
