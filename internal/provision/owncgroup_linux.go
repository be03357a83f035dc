package provision

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/plan"
)

// ownTries bounds how often processes are moved: one that forks meanwhile leaves a child behind.
const ownTries = 100

// acquireOwnCgroup makes the group and moves there what is in the one above: this process among it. Another cell
// of the same job may have done so.
func acquireOwnCgroup(o *plan.OwnCgroup) error {
	if err := os.Mkdir(o.Path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fault.Wrap(fault.Host, err, "", "make the control group %s", o.Path)
	}
	for range ownTries {
		left, err := moveAll(o.Parent, o.Path)
		if err != nil {
			return fault.Wrap(fault.Host, err, "", "move the processes of %s to %s", o.Parent, o.Path)
		}
		if left == 0 {
			return nil
		}
	}
	return fault.New(fault.Host, "start it with exec, as the last command of the job", "move the processes of %s: there are always more", o.Parent)
}

// moveAll moves every process of a group to another one, and says how many there were.
func moveAll(from, to string) (n int, err error) {
	b, err := os.ReadFile(filepath.Join(from, "cgroup.procs"))
	if err != nil {
		return 0, err
	}
	for _, pid := range strings.Fields(string(b)) {
		err := os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte(pid), 0)
		if err != nil && !errors.Is(err, unix.ESRCH) { // it has ended
			return n, err
		}
		n++
	}
	return n, nil
}

// releaseOwnCgroup puts back what was moved, once no cell is left below the group above. With one left it stays:
// whoever releases the last of them does it.
func releaseOwnCgroup(o *plan.OwnCgroup) error {
	if _, err := os.Stat(o.Path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	entries, err := os.ReadDir(o.Parent)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if path := filepath.Join(o.Parent, e.Name()); e.IsDir() && path != o.Path {
			return nil
		}
	}
	control := filepath.Join(o.Parent, "cgroup.subtree_control")
	b, err := os.ReadFile(control)
	if err != nil {
		return err
	}
	for _, c := range strings.Fields(string(b)) {
		if err := os.WriteFile(control, []byte("-"+c), 0); err != nil {
			return err
		}
	}
	for range ownTries {
		if _, err := moveAll(o.Path, o.Parent); err != nil {
			return err
		}
		// A process that is on its way out is in no list, and still in its group.
		if err = os.Remove(o.Path); !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
