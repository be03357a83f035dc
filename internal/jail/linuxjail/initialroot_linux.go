package linuxjail

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A host may live in the root that its kernel was unpacked into: one that boots from the network, or
// from a stick into memory. That root has no mount below it, and pivot_root(2) exchanges only a root
// that has one. So a small empty root is laid over it first, by move_mount(2) and chroot(2), and then
// that one is exchanged. What was covered stays below for good, where no path leads; only who may
// unmount could uncover it, and nobody in a jail may.

// onInitialRoot says whether this process's root is such a one: its own parent.
func onInitialRoot() bool {
	var st unix.Statfs_t
	// Both kinds are file systems in memory. The mount table, which is long on some hosts, is read for
	// these alone.
	if unix.Statfs("/", &st) != nil || st.Type != unix.RAMFS_MAGIC && st.Type != unix.TMPFS_MAGIC {
		return false
	}
	mounts, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return false
	}
	initial := false
	for line := range strings.Lines(string(mounts)) {
		// ID, parent, device, root, mount point; of several at one point the last is on top.
		if f := strings.Fields(line); len(f) > 5 && f[4] == "/" {
			initial = f[0] == f[1]
		}
	}
	return initial
}

// cover lays an empty root over the initial one, in the child.
func (b *builder) cover() {
	config := func(name, key, value, why string) Step {
		return step("", name, sysFsconfig, why, from("cover"),
			named("FSCONFIG_SET_STRING", unix.FSCONFIG_SET_STRING), str(key), str(value), number(0))
	}
	b.rows(
		step("", "cover", sysFsopen, "the initial root cannot be exchanged, so another one covers it", str("tmpfs"), flags(bit{"FSOPEN_CLOEXEC", unix.FSOPEN_CLOEXEC})),
		config("bound-cover", "size", "4096", "nothing goes in"),
		config("bound-cover-entries", "nr_inodes", "1", "but the root itself"),
		step("", "create-cover", sysFsconfig, "", from("cover"), named("FSCONFIG_CMD_CREATE", unix.FSCONFIG_CMD_CREATE), null(), null(), number(0)),
		step("", "mount-cover", sysFsmount, "", from("cover"), flags(mountClose), flags(rdonly, nodev, nosuid, noexec)),
		step("", "place-cover", sysMoveMount, "on top of the initial root", from("mount-cover"), emptyPath, cwd, str("/"), moveFlags),
		step("", "enter-cover", sysFchdir, "", from("mount-cover")),
		step("", "root-cover", sysChroot, "no path leads below it", str(".")),
	)
}

// coverInitialRoot does the same for this thread, and takes away all that is mounted in the initial
// root beforehand. Root's namespace of empty mounts begins so.
func coverInitialRoot() error {
	mounts, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return err
	}
	for _, point := range slices.Backward(topMounts(string(mounts))) {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("umount2 %s: %w", point, err)
		}
	}
	root, err := emptyTmpfs()
	if err != nil {
		return err
	}
	defer unix.Close(root)
	if err := unix.MoveMount(root, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	if err := unix.Fchdir(root); err != nil {
		return fmt.Errorf("fchdir: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	return nil
}

// topMounts are the mount points right on the root, as mountinfo has them.
func topMounts(mountinfo string) (points []string) {
	root := ""
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		switch {
		case len(f) < 6:
		case f[4] == "/":
			root = f[0]
		case f[1] == root:
			points = append(points, unescape(f[4]))
		}
	}
	return points
}

// unescape undoes mountinfo's \\040 and the like.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
