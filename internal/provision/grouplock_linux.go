package provision

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/plan"
)

// A group's name is a uid, and skep may be used with several run directories that know nothing of each other: the
// group is where their cells meet. A group with a process in it cannot be removed, and so not be taken over. From
// when it is made until then, and from that process's end until it is released, its keeper's lock says that it is
// somebody's: flock(2) on its directory, which nobody but its owner may open, or every user of the host could lock it.
//
// After a keeper's death the number of the directory in the journal tells whether it is still the same group.

// groupTries bounds how often a group is tried for while others come and go.
const groupTries = 100

// groupLock is the name under which a provisioner holds the lock of a group.
func groupLock(g *plan.Cgroup) string { return "group:" + g.Tree }

// newGroup makes a group, in the place of an empty one, and returns it locked.
func newGroup(path string) (dir *os.File, err error) {
	for range groupTries {
		// Another cell's end may remove the directory above in between.
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		made := os.Mkdir(path, 0o700)
		if made != nil && !errors.Is(made, fs.ErrExist) && !errors.Is(made, fs.ErrNotExist) {
			return nil, made
		}
		dir, err = lockGroup(path)
		switch {
		case err == nil && made == nil:
			return dir, nil
		case err == nil:
			err = os.Remove(path)
			dir.Close()
			if errors.Is(err, unix.EBUSY) {
				return nil, err
			}
		case errors.Is(err, unix.EWOULDBLOCK):
			time.Sleep(2 * time.Millisecond) // it may be about to be let go of
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, err
		}
	}
	if err == nil {
		err = unix.EBUSY
	}
	return nil, err
}

// lockGroup opens a group and locks it. One that another process has locked is EWOULDBLOCK; one that was removed
// meanwhile is ErrNotExist, even where another has its name by now.
func lockGroup(path string) (*os.File, error) {
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil && !isGroup(path, groupID(dir)) {
		err = fs.ErrNotExist
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// groupID is the number of a group's directory. No other has had it since this host has booted.
func groupID(dir *os.File) string {
	var s unix.Stat_t
	if unix.Fstat(int(dir.Fd()), &s) != nil {
		return ""
	}
	return strconv.FormatUint(s.Ino, 10)
}

// isGroup says whether a path leads to the directory with that number.
func isGroup(path, id string) bool {
	var s unix.Stat_t
	return unix.Lstat(path, &s) == nil && strconv.FormatUint(s.Ino, 10) == id
}

// adoptCgroup locks a group again whose keeper has died. Where it cannot be, the processes in it keep it.
func (t *linuxProvisioner) adoptCgroup(g *plan.Cgroup) error {
	if dir, err := lockGroup(g.Path); err == nil {
		t.hold(groupLock(g), dir)
	}
	return nil
}
