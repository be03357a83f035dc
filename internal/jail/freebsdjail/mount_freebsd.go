package freebsdjail

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Mount mounts a file system with options, each "name" or "name", "value" as
// nmount(2) takes them. The kernel is asked itself: mount(8) would run one more
// program for each kind of file system.
func Mount(fstype, path string, options ...[2]string) error {
	var parts [][]byte
	add := func(name, value string) {
		parts = append(parts, []byte(name+"\x00"))
		if value == "" {
			parts = append(parts, nil)
			return
		}
		parts = append(parts, []byte(value+"\x00"))
	}
	add("fstype", fstype)
	add("fspath", path)
	for _, o := range options {
		add(o[0], o[1])
	}
	said := make([]byte, 255)
	parts = append(parts, []byte("errmsg\x00"), said)
	if _, errno := vector(unix.SYS_NMOUNT, parts, 0); errno != 0 {
		if words := unix.ByteSliceToString(said); words != "" {
			return fmt.Errorf("mount %s on %s: %s: %w", fstype, path, words, errno)
		}
		return fmt.Errorf("mount %s on %s: %w", fstype, path, errno)
	}
	return nil
}

// Option is an option of Mount that stands alone.
func Option(name string) [2]string { return [2]string{name, ""} }

// unmountWait bounds how long a mount may stay busy: that of a jail does until
// the jail's last reference is gone.
const unmountWait = 10 * time.Second

// Unmount unmounts what is mounted on exactly that path; nothing there is no
// error. What is still busy after a while is unmounted by force: it is ours
// alone, and nobody who should have it lives.
func Unmount(path string) error {
	deadline := time.Now().Add(unmountWait)
	for {
		fstype, err := MountedOn(path)
		if err != nil || fstype == "" {
			return err
		}
		err = unix.Unmount(path, 0)
		switch {
		case err == nil, errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
			continue // look again: there may be another below
		case !errors.Is(err, unix.EBUSY):
			return fmt.Errorf("unmount %s: %w", path, err)
		case time.Now().After(deadline):
			if err := unix.Unmount(path, unix.MNT_FORCE); err != nil {
				return fmt.Errorf("unmount %s by force: %w", path, err)
			}
			continue
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// MountedOn is the type of the file system that is mounted on exactly that
// path, "" where none is.
func MountedOn(path string) (fstype string, err error) {
	var st unix.Statfs_t
	err = unix.Statfs(path, &st)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", path, err)
	}
	// The kernel keeps the name without symbolic links, vn_path_to_global_path(9).
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if unix.ByteSliceToString(st.Mntonname[:]) != path {
		return "", nil
	}
	return unix.ByteSliceToString(st.Fstypename[:]), nil
}
