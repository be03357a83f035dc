package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"skep/internal/fault"
)

// maxLinks bounds how many symbolic links one path may lead through, as the
// kernel does.
const maxLinks = 40

// Trusted says why somebody other than this process's user and root could
// change what a path names: the file, a directory on the way to it, or one that
// a symbolic link leads through. What is not there yet is judged by the
// directories that are. Access lists that no mode shows are not seen.
func Trusted(path string) error {
	return trustedBy(path, os.Geteuid(), privateGroup())
}

// privateGroup is the group that has this user's name and number, which
// useradd(8) gives a user alone; -1 where there is none. Files of such a user
// are often open to that group, and so to nobody else.
func privateGroup() int {
	gid := os.Getegid()
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil || os.Geteuid() == 0 {
		return -1
	}
	g, err := user.LookupGroupId(strconv.Itoa(gid))
	if err != nil || g.Name != u.Username {
		return -1
	}
	return gid
}

// trustedBy walks a path from the root, one name at a time.
func trustedBy(path string, uid, group int) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	left := strings.Split(strings.Trim(abs, "/"), "/")
	at, links := "/", 0
	for {
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fault.Wrap(fault.Host, err, "", "look at %s", at)
		}
		if err := othersMayChange(at, info, uid, group, len(left) == 0); err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			if links++; links > maxLinks {
				return fault.Cannot(fault.Host, "", "use", path, "too many symbolic links")
			}
			target, err := os.Readlink(at)
			if err != nil {
				return fault.Wrap(fault.Host, err, "", "look at %s", at)
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			left = append(strings.Split(strings.Trim(filepath.Clean(target), "/"), "/"), left...)
			at = "/"
			continue
		}
		for len(left) > 0 && left[0] == "" {
			left = left[1:]
		}
		if len(left) == 0 {
			return nil
		}
		at, left = filepath.Join(at, left[0]), left[1:]
	}
}

// othersMayChange judges one name on the way. In a directory with the sticky
// bit others may make names and not change those of other owners, which is
// enough on the way and not at its end.
func othersMayChange(at string, info fs.FileInfo, uid, group int, last bool) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: %w", at, errors.ErrUnsupported)
	}
	if owner := int(st.Uid); owner != 0 && owner != uid {
		return fault.Cannot(fault.Host, fmt.Sprintf("chown %d %s, or use another place", uid, at), "use", at, "it belongs to uid %d", owner)
	}
	mode := info.Mode()
	if mode&fs.ModeSymlink != 0 {
		return nil // a link has no mode of its own
	}
	open := mode.Perm() & 0o022
	if int(st.Gid) == group {
		open &^= 0o020
	}
	if open == 0 || mode.IsDir() && mode&fs.ModeSticky != 0 && !last {
		return nil
	}
	return fault.Cannot(fault.Host, "chmod go-w "+at, "use", at, "others may write to it (mode %04o)", mode.Perm())
}
