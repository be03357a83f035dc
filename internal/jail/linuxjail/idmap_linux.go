package linuxjail

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
)

// mapIDs makes the cell's user and group, and no others, known in the namespace of pid.
func mapIDs(dir, pid int, id Identity) error {
	uid, gid := strconv.Itoa(id.UID), strconv.Itoa(id.GID)
	proc := func(file, text string) error {
		if err := tell(dir, pid, file, text); err != nil {
			return cannotBuild("map its user: %w", err)
		}
		return nil
	}
	switch id.Mapping {
	case jail.BySubIDs:
		for _, m := range [][]string{{"newgidmap", gid}, {"newuidmap", uid}} {
			out, err := exec.Command(m[0], strconv.Itoa(pid), m[1], m[1], "1").CombinedOutput()
			if err != nil {
				return cannotBuild("%s: %w: %s", m[0], err, bytes.TrimSpace(out))
			}
		}
		return nil
	case jail.ByOwn:
		// Without this the kernel takes no group map from an ordinary user: it could shed a group
		// that a file's mode excludes.
		if err := proc("setgroups", "deny"); err != nil {
			return err
		}
	}
	return errors.Join(proc("gid_map", gid+" "+gid+" 1"), proc("uid_map", uid+" "+uid+" 1"))
}

// explain recognises a host that refuses user namespaces, or gives them out empty-handed: Ubuntu
// lets the clone succeed, and then the first row that needs a capability fails.
func explain(err error) error {
	var s *jail.StepError
	if !errors.As(err, &s) || os.Geteuid() == 0 {
		return err
	}
	switch {
	case s.Step == "clone" && (s.Errno == unix.EPERM || s.Errno == unix.ENOSPC || s.Errno == unix.EUSERS || s.Errno == unix.EACCES):
		return fmt.Errorf("%w: %w", ErrUserNamespacesRestricted, err)
	case (s.Errno == unix.EPERM || s.Errno == unix.EACCES) && sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return fmt.Errorf("%w: %w", ErrUserNamespacesRestricted, err)
	}
	return err
}

// sysctl is a setting of the kernel, or "" where there is none.
func sysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}
