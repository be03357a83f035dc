package disk

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/plan"
)

// A Holder is a process that has an image open and locked.
type Holder struct {
	PID  int
	Name string // the program's, or what the caller knows it as
}

// InUse is of an image that another process has locked. Holders are those that
// could be found: who is not root is not shown the processes of others.
type InUse struct {
	Holders []Holder
}

func (e *InUse) Error() string {
	var names []string
	for _, h := range e.Holders {
		name := cell.Printable(h.Name)
		if h.PID != 0 {
			name = fmt.Sprintf("%s (pid %d)", name, h.PID)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return "it is in use by " + cmp.Or(strings.Join(names, " and "), "another cell or program")
}

// Lock locks an image, or fails with *InUse: exclusively where it is written,
// else together with others that only read. The lock is on the open file, so it
// lasts as long as any process has the descriptor.
func Lock(f *os.File, write bool) error {
	locked := false
	if !rangeFlock(f) {
		how := syscall.LOCK_SH
		if write {
			how = syscall.LOCK_EX
		}
		switch err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); {
		case err == nil:
			locked = true
		case errors.Is(err, syscall.EWOULDBLOCK):
			return &InUse{holders(f)}
		case !noLocks(err):
			return err
		}
	}
	switch err := lockBytes(f, write); {
	case err == nil:
		return nil
	case locked && noLocks(err):
		return nil
	default:
		return err
	}
}

// noLocks says whether a file system, or a system, has not got that kind of lock.
func noLocks(err error) bool {
	return errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EINVAL) ||
		errors.Is(err, syscall.ENOLCK) || errors.Is(err, errors.ErrUnsupported)
}

// lock is Lock, with an error for people.
func lock(d *plan.Disk, f *os.File) error {
	err := Lock(f, !d.ReadOnly)
	var used *InUse
	switch {
	case err == nil:
		return nil
	case errors.As(err, &used):
		return &fault.Error{Code: fault.Input, Hint: inUseHint, Op: "use disk", Subject: fmt.Sprintf("%q (%s)", d.Label, d.Path), Err: used}
	case noLocks(err):
		return bad(d, "put the image on a file system that has locks", "it cannot be locked: %v", err)
	default:
		return bad(d, "", "it cannot be locked: %v", err)
	}
}
