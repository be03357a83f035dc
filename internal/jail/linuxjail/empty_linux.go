package linuxjail

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/layer"
)

// Empty takes everything out of the rootfs: what a prepared hypervisor has mapped and opened it
// keeps, and it can reach nothing more. One mount is left, an empty tmpfs on which nothing can be
// written, executed or be a device.
func (p *Process) Empty(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := p.Record()
	return p.control(func(pidfd int) error {
		if r.Mapping == jail.ByRoot && layer.On(r.Layers, layer.MountNamespace) {
			if visited, err := visit(pidfd); visited {
				return err
			}
		}
		return enter(emptying(r, pidfd))
	})
}

// visit empties the rootfs from a thread of root's keeper. It needs no user namespace of the
// hypervisor's to change its mounts, and so no child: a fork of the keeper is half of what emptying
// costs, and more on a busy host. The steps are those of emptying. It is false where the thread may
// not go in, as without CAP_SYS_CHROOT; nothing was changed then. It is out again when this returns:
// whoever looks at the cell then is to find nobody with it.
func visit(pidfd int) (visited bool, err error) {
	onOwnThread(func() {
		home, herr := os.Open("/proc/thread-self/ns/mnt")
		if herr != nil {
			return
		}
		defer home.Close()
		if unix.Unshare(unix.CLONE_FS) != nil || unix.Setns(pidfd, unix.CLONE_NEWNS) != nil {
			return
		}
		visited, err = true, emptyRoot()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNS); err == nil && back != nil {
			err = fmt.Errorf("setns: %w", back)
		}
	})
	if err != nil {
		err = fmt.Errorf("cannot empty the rootfs: %w", err)
	}
	return visited, err
}

// emptying writes the program for a child that joins the hypervisor's user and mount namespaces, as
// it takes where the keeper is not root.
//
// pivot_root(2) gives the new root to every process of the namespace whose root is the old one, so
// the hypervisor stands in an empty rootfs without having moved; then the old one goes with all that
// is mounted in it, in one step. Each step would wait for a grace period of the kernel's, so file
// by file it would take fifty.
func emptying(r jail.Record, pidfd int) *Program {
	b := &builder{spec: Spec{Layers: r.Layers}}
	spaces := []bit{{"CLONE_NEWNS", unix.CLONE_NEWNS}}
	if b.on(layer.UserNamespace) {
		spaces = append([]bit{{"CLONE_NEWUSER", unix.CLONE_NEWUSER}}, spaces...)
	}
	config := func(name, key, value, why string) Step {
		return step("", name, sysFsconfig, why, from("empty-root"),
			named("FSCONFIG_SET_STRING", unix.FSCONFIG_SET_STRING), str(key), str(value), number(0))
	}
	b.rows(
		step("", "join", sysSetns, "with the rights to change its mounts and none on the host",
			descriptor("hypervisor", pidfd), flags(spaces...)),
		step("", "empty-root", sysFsopen, "a root with nothing in it", str("tmpfs"), flags(bit{"FSOPEN_CLOEXEC", unix.FSOPEN_CLOEXEC})),
		config("bound-root", "size", "4096", "nothing goes in"),
		config("bound-root-entries", "nr_inodes", "1", "but the root itself"),
		config("root-mode", "mode", strconv.FormatInt(dirMode, 8), "to be read and searched"),
		step("", "create-root", sysFsconfig, "", from("empty-root"), named("FSCONFIG_CMD_CREATE", unix.FSCONFIG_CMD_CREATE), null(), null(), number(0)),
		step("", "mount-root", sysFsmount, "no writes, no devices, no execution, for good", from("empty-root"),
			flags(mountClose), flags(rdonly, nodev, nosuid, noexec)),
		step("", "place-root", sysMoveMount, "on top of the rootfs", from("mount-root"), emptyPath, cwd, str("/"), moveFlags),
		step("", "enter-root", sysFchdir, "", from("mount-root")),
		step("", "pivot", sysPivotRoot, "for this child and for the hypervisor", str("."), str(".")),
		step("", "drop-rootfs", sysUmount, "mapped and open pages stay, every name goes", str("."), flags(bit{"MNT_DETACH", unix.MNT_DETACH})),
	)
	return &b.Program
}

// enter runs a program to its end in a child of its own.
func enter(program *Program) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("cannot empty the rootfs: pipe: %w", err)
	}
	l := &launch{sync: -1, reports: pipe[0], childs: pipe[1:]}
	defer l.close()
	loaded, err := program.load(pipe[1])
	if err != nil {
		return err
	}
	pid, err := loaded.fork(&cloneArgs{Flags: unix.CLONE_CLEAR_SIGHAND, ExitSignal: uint64(unix.SIGCHLD)})
	if err != nil {
		return fmt.Errorf("cannot empty the rootfs: clone: %w", err)
	}
	l.dropChildEnds()
	// The program has no row that waits for anyone, so it ends by itself.
	failed := l.failure(program)
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	if failed == nil && (!status.Exited() || status.ExitStatus() != 0) {
		failed = fmt.Errorf("the child ended with status %#x", status)
	}
	if failed != nil {
		return fmt.Errorf("cannot empty the rootfs: %w", failed)
	}
	return nil
}
