package linuxjail

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// makeNodes makes a tmpfs that is mounted nowhere yet and holds the cell's device nodes, of the
// cell's own user and closed to all others. The keeper makes it because no node can be made in a
// user namespace; that also puts it beyond the reach of any capability there.
func makeNodes(spec Spec) (int, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen: %w", err)
	}
	defer unix.Close(fs)
	for _, o := range [][2]string{{"size", "4096"}, {"mode", "0555"}, {"nr_inodes", fmt.Sprint(len(spec.Root.Nodes) + 1)}} {
		if err := unix.FsconfigSetString(fs, o[0], o[1]); err != nil {
			return -1, fmt.Errorf("fsconfig %s=%s: %w", o[0], o[1], err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("fsconfig: %w", err)
	}
	mnt, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsmount: %w", err)
	}
	for _, n := range spec.Root.Nodes {
		if err := makeNode(mnt, n, spec.Identity); err != nil {
			unix.Close(mnt)
			return -1, err
		}
	}
	return mnt, nil
}

func makeNode(dir int, n Node, id Identity) error {
	var st unix.Stat_t
	if err := unix.Stat(string(n.Host), &st); err != nil {
		return fmt.Errorf("stat %s: %w", n.Host, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return fmt.Errorf("%s is not a character device: %w", n.Host, unix.ENODEV)
	}
	name := relative(n.Inside)[len(devDir)+1:]
	if err := unix.Mknodat(dir, name, unix.S_IFCHR|0o600, int(st.Rdev)); err != nil {
		return fmt.Errorf("mknod %s: %w", n.Inside, err)
	}
	if err := unix.Fchownat(dir, name, id.UID, id.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("chown %s: %w", n.Inside, err)
	}
	return nil
}
