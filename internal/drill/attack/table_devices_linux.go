package attack

import (
	"os"

	"golang.org/x/sys/unix"
)

// deviceAttempts reach for the host's devices.
var deviceAttempts = []Attempt{
	{ID: "mknod-null", Tries: "make a device node in the root",
		By: "user-namespace private-root own-uid capabilities landlock seccomp", Want: "EPERM", Do: code(mknod("/skep-drill-null"))},
	{ID: "mknod-disk", Tries: "make a node of the host's first disk",
		By: "user-namespace private-root own-uid capabilities landlock seccomp", Want: "EPERM", Do: try(unix.SYS_MKNODAT, atCWD, inPublic("disk"), unix.S_IFBLK|0o600, 0xfe00)},
	{ID: "open-null", Tries: "open a device by its name",
		By: "private-root landlock two-phases", Want: "ENOENT | EPERM", Do: open("/dev/null", unix.O_RDWR)},
	{ID: "open-mem", Tries: "open the host's memory",
		By: "", Want: "ENOENT | EPERM", NoControl: "the kernel of this machine has no /dev/mem", Do: open("/dev/mem", unix.O_RDONLY)},
	{ID: "open-kmsg", Tries: "read the kernel's messages",
		By: "user-namespace private-root own-uid capabilities two-phases", Want: "ENOENT | EPERM", Do: open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK)},
	{ID: "open-tun", Tries: "make a network card of its own",
		By: "private-root own-uid landlock two-phases", Want: "ENOENT | EPERM", Do: open("/dev/net/tun", unix.O_RDWR)},
	{ID: "open-fuse", Tries: "serve a file system of its own",
		By: "private-root own-uid landlock two-phases", Want: "ENOENT | EPERM", Do: open("/dev/fuse", unix.O_RDWR)},
	{ID: "open-ptmx", Tries: "open a terminal, to type into it",
		By: "private-root landlock two-phases", Want: "ENOENT | EPERM", Do: open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY)},
	{ID: "open-kvm", Tries: "open KVM, where it was not given it or has it already",
		Early: "KVM is what it emulates with; without KVM there is no such node in its rootfs",
		By:    "empty-room own-uid two-phases", Want: "EPERM", Lacks: without("/dev/kvm"), Do: open("/dev/kvm", unix.O_RDWR)},
	{ID: "tiocsti", Tries: "type into the terminal it was started from (TIOCSTI)",
		By: "", Want: "EPERM",
		Do: try(unix.SYS_IOCTL, 0, unix.TIOCSTI, space(8)).pastGate(unix.EIO), NoControl: "a drill has no terminal"},
	{ID: "iopl", Tries: "speak with hardware by its ports",
		By: "", Want: "EPERM", NoControl: "the kernel of this machine has no such call", Do: try(sysIOPL, 3)},
	{ID: "ioperm", Tries: "the same, port by port",
		By: "", Want: "EPERM", NoControl: "the kernel of this machine has no such call", Do: try(sysIOPerm, 0x80, 1, 1)},
}

func mknod(path string) func(*Fixture) Outcome {
	return func(s *Fixture) Outcome {
		r := s.call(unix.SYS_MKNODAT, atCWD, path, unix.S_IFCHR|0o666, 0x103)
		if r.errno == 0 && !r.gone {
			s.call(unix.SYS_UNLINKAT, atCWD, path, 0)
		}
		return attempt{}.judge(r)
	}
}

// mountAttempts change what is mounted. Those that would do harm are made with arguments that
// nobody can fulfil; the right to mount is asked for before those are looked at.
var mountAttempts = []Attempt{
	{ID: "mount-tmpfs", Tries: "mount a file system",
		By: "user-namespace private-root own-uid capabilities landlock seccomp", Want: "EPERM", Do: code(mountTmpfs)},
	{ID: "mount-proc", Tries: "mount proc, to find the host in it",
		By: "user-namespace private-root own-uid capabilities landlock seccomp", Want: "EPERM", Do: try(unix.SYS_MOUNT, "proc", baitDir, "proc", unix.MS_REMOUNT|unix.MS_SILENT, 0).pastGate(unix.EINVAL)},
	{ID: "remount-writable", Tries: "make the root writable",
		By: "user-namespace private-root own-uid capabilities landlock seccomp", Want: "EPERM", Do: try(unix.SYS_MOUNT, 0, baitPublic, 0, unix.MS_REMOUNT|unix.MS_BIND, 0).pastGate(unix.EINVAL)},
	{ID: "bind", Tries: "show a directory of the host in another place",
		By: "user-namespace private-root own-uid capabilities landlock seccomp", Want: "EPERM", Do: try(unix.SYS_MOUNT, baitDir, baitFile, 0, unix.MS_BIND, 0).pastGate(unix.ENOTDIR)},
	{ID: "umount", Tries: "take a mount away, to see what lies below",
		By: "user-namespace private-root own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_UMOUNT2, baitPublic, unix.MNT_DETACH).pastGate(unix.EINVAL)},
	{ID: "pivot-root", Tries: "exchange the root",
		By: "user-namespace private-root own-uid capabilities landlock seccomp", Want: "EPERM", Do: try(unix.SYS_PIVOT_ROOT, baitPublic, baitPublic).pastGate(unix.EINVAL, unix.EBUSY)},
	{ID: "fsopen", Tries: "make a file system without mounting it",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_FSOPEN, "tmpfs", 0).opening()},
	{ID: "fspick", Tries: "change the options of a mounted file system",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_FSPICK, atCWD, "/", 0).opening()},
	{ID: "open-tree", Tries: "copy the mounts of the root, to look around in them",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_OPEN_TREE, atCWD, "/", unix.OPEN_TREE_CLONE).opening()},
	{ID: "move-mount", Tries: "move a mount",
		By: "user-namespace private-root own-uid capabilities landlock seccomp", Want: "EPERM", Do: try(unix.SYS_MOVE_MOUNT, atCWD, baitPublic, atCWD, baitDir, 0).pastGate(unix.EINVAL, unix.ELOOP)},
	{ID: "mount-setattr", Tries: "change a mount's flags",
		By: "user-namespace private-root own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_MOUNT_SETATTR, atCWD, baitPublic, 0, words(0, unix.MOUNT_ATTR_RDONLY, 0, 0), 32).pastGate(unix.EINVAL)},
	{ID: "list-mounts", Tries: "list the mounts",
		By: "seccomp", Want: "EPERM", Single: singleCall, Do: try(458, words(24, 0xffffffffffffffff, 0), space(4096), 512, 0)}, // listmount(2)
	{ID: "swapon", Tries: "have the host swap to a file of its own",
		By: "user-namespace private-root own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_SWAPON, baitPublic, 0).pastGate(unix.EINVAL, unix.EISDIR)},
}

// without says so where the host has no such node.
func without(node string) func() string {
	return func() string {
		if _, err := os.Lstat(node); err != nil {
			return "this machine has no " + node
		}
		return ""
	}
}

func mountTmpfs(s *Fixture) Outcome {
	r := s.call(unix.SYS_MOUNT, "skep-drill", s.Bait.Public, "tmpfs", 0, 0)
	if r.errno == 0 && !r.gone {
		s.call(unix.SYS_UMOUNT2, s.Bait.Public, unix.MNT_DETACH)
	}
	return attempt{}.judge(r)
}

// namespaceAttempts make or enter namespaces: a new user namespace would be a way to every
// capability, and so to half of the kernel's bugs.
var namespaceAttempts = []Attempt{
	{ID: "unshare-user", Tries: "make a user namespace",
		By: "seccomp", Want: "EPERM", Single: singleCall, Fresh: true, Do: try(unix.SYS_UNSHARE, unix.CLONE_NEWUSER)},
	{ID: "unshare-mount", Tries: "make a mount namespace",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Fresh: true, Do: try(unix.SYS_UNSHARE, unix.CLONE_NEWNS)},
	{ID: "unshare-net", Tries: "make a network namespace",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Fresh: true, Do: try(unix.SYS_UNSHARE, unix.CLONE_NEWNET)},
	{ID: "clone-user", Tries: "start a process in a new user namespace",
		By: "seccomp", Want: "EPERM", Single: singleCall, Do: try(unix.SYS_CLONE, unix.CLONE_NEWUSER|uint64(unix.SIGCHLD), 0, 0, 0, 0).via(thenLeave)},
	{ID: "clone3-user", Tries: "the same by clone3(2)",
		By: "seccomp", Want: "ENOSYS", Single: singleCall,
		Do: try(unix.SYS_CLONE3, words(unix.CLONE_NEWUSER, 0, 0, 0, uint64(unix.SIGCHLD), 0, 0, 0), 64).via(thenLeave)},
	{ID: "clone3", Tries: "start a process by clone3(2), whose flags no filter sees",
		By: "seccomp", Want: "ENOSYS", Single: singleCall,
		Do: try(unix.SYS_CLONE3, words(0, 0, 0, 0, uint64(unix.SIGCHLD), 0, 0, 0), 64).via(thenLeave)},
	{ID: "fork", Tries: "start a process",
		By: "seccomp", Want: "EPERM", Single: singleCall, Do: try(unix.SYS_CLONE, uint64(unix.SIGCHLD), 0, 0, 0, 0).via(thenLeave)},
	{ID: "old-fork", Tries: "the same by the old fork(2)",
		By: "seccomp", Want: "EPERM", Single: singleCall, Do: try(sysFork).via(thenLeave)},
	{ID: "setns", Tries: "enter the namespaces of a process of the host",
		By: "user-namespace pid-namespace own-uid capabilities landlock seccomp", Want: "EPERM", Fresh: true, Do: code(setns)},
}

func setns(s *Fixture) Outcome {
	r := s.call(unix.SYS_PIDFD_OPEN, s.Bait.PID(), 0)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_CLOSE, r.value)
	return attempt{}.judge(s.call(unix.SYS_SETNS, r.value, unix.CLONE_NEWUTS))
}
