// Package devfsctl reads and changes the devfs rules that a FreeBSD kernel holds.
package devfsctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"unsafe"

	"skep/internal/devfs"

	"golang.org/x/sys/unix"
)

// Mount is an open devfs mount. Rule sets belong to the whole host and can be
// read and changed through any of them; which set a mount uses, and what is
// applied to it, is its own.
type Mount struct {
	dir *os.File
}

// Open opens a devfs mount by its directory.
func Open(dir string) (*Mount, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if name := unix.ByteSliceToString(st.Fstypename[:]); name != "devfs" {
		f.Close()
		return nil, fmt.Errorf("%s is a directory of %s, not a devfs mount", dir, name)
	}
	return &Mount{f}, nil
}

// Close closes the directory; nothing that was applied is undone.
func (m *Mount) Close() error { return m.dir.Close() }

func (m *Mount) ioctl(request uintptr, data unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, m.dir.Fd(), request, uintptr(data))
	if errno != 0 {
		return errno
	}
	return nil
}

// Add adds a rule to a set, which is made where it does not exist.
func (m *Mount) Add(set int, r devfs.Rule) error {
	if set == 0 {
		return fmt.Errorf("rule set 0 takes no rules")
	}
	b, err := encodeRule(set, r)
	if err != nil {
		return err
	}
	switch err := m.ioctl(reqRuleAdd, unsafe.Pointer(&b)); {
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("rule set %d has a rule %d already: %w", set, r.Number, err)
	case errors.Is(err, unix.ESRCH):
		return fmt.Errorf("rule set %d, which is to be included, does not exist: %w", r.Include, err)
	case err != nil:
		return fmt.Errorf("add %q to rule set %d: %w", r, set, err)
	}
	return nil
}

// Rules reads the rules of a set; a set that does not exist has none.
func (m *Mount) Rules(set int) ([]devfs.Rule, error) {
	var rules []devfs.Rule
	for last := 0; ; {
		b, err := encodeRule(set, devfs.Rule{Number: last})
		if err != nil {
			return nil, err
		}
		err = m.ioctl(reqRuleNext, unsafe.Pointer(&b))
		if errors.Is(err, unix.ENOENT) {
			return rules, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read rule set %d: %w", set, err)
		}
		_, r, err := decodeRule(&b)
		if err != nil {
			return nil, err
		}
		if r.Number <= last {
			return nil, fmt.Errorf("read rule set %d: rule %d after rule %d", set, r.Number, last)
		}
		rules, last = append(rules, r), r.Number
	}
}

// Sets lists the numbers of the rule sets that exist.
func (m *Mount) Sets() ([]int, error) {
	var numbers []int
	for n := uint16(0); ; {
		err := m.ioctl(reqSetNext, unsafe.Pointer(&n))
		if errors.Is(err, unix.ENOENT) {
			return numbers, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list rule sets: %w", err)
		}
		numbers = append(numbers, int(n))
	}
}

// Rulesets reads every rule set of the host.
func (m *Mount) Rulesets() (devfs.Rulesets, error) {
	numbers, err := m.Sets()
	if err != nil {
		return nil, err
	}
	sets := devfs.Rulesets{}
	for _, n := range numbers {
		rules, err := m.Rules(n)
		if err != nil {
			return nil, err
		}
		sets[n] = &devfs.Ruleset{Number: n, Rules: rules}
	}
	return sets, nil
}

// DeleteSet deletes every rule of a set, and the set with the last of them
// unless a mount or an include still refers to it.
func (m *Mount) DeleteSet(set int) error {
	rules, err := m.Rules(set)
	if err != nil {
		return err
	}
	for _, r := range rules {
		id := ruleID(set, r.Number)
		if err := m.ioctl(reqRuleDel, unsafe.Pointer(&id)); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("delete %s: %w", devfs.Ref{Set: set, Rule: r.Number}, err)
		}
	}
	return nil
}

// Use makes a set the one that this mount applies to nodes made from now on.
// What is there already is untouched: ApplySet comes after.
func (m *Mount) Use(set int) error {
	n := uint16(set)
	if err := m.ioctl(reqSetUse, unsafe.Pointer(&n)); err != nil {
		return fmt.Errorf("use rule set %d for %s: %w", set, m.dir.Name(), err)
	}
	return nil
}

// ApplySet applies a set to every node of this mount.
func (m *Mount) ApplySet(set int) error {
	n := uint16(set)
	if err := m.ioctl(reqSetApply, unsafe.Pointer(&n)); err != nil {
		return fmt.Errorf("apply rule set %d to %s: %w", set, m.dir.Name(), err)
	}
	return nil
}

// Apply applies one rule to every node of this mount without adding it to a
// set: Rule{Hide: true} empties a /dev whose hypervisor has all it needs.
func (m *Mount) Apply(r devfs.Rule) error {
	b, err := encodeRule(0, r)
	if err != nil {
		return err
	}
	if err := m.ioctl(reqRuleApply, unsafe.Pointer(&b)); err != nil {
		return fmt.Errorf("apply %q to %s: %w", r, m.dir.Name(), err)
	}
	return nil
}

// Depth is how deep this kernel follows includes: devfs.DepthSetting.
func Depth() (int, error) {
	n, err := unix.SysctlUint32(devfs.DepthSetting)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", devfs.DepthSetting, err)
	}
	return int(n), nil
}
