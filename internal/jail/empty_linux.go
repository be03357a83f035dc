package jail

import (
	"context"
	"fmt"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"skep/internal/layer"
)

// Empty takes everything out of the room: what a prepared hypervisor has mapped and opened it
// keeps, and it can reach nothing more. One mount is left, an empty tmpfs on which nothing can be
// written, executed or be a device.
func (p *Process) Empty(ctx context.Context, root Root) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := p.Record()
	return p.control(func(pidfd int) error { return enter(emptying(r, root, pidfd)) })
}

// emptying writes the program for a child that joins the hypervisor's user and mount namespaces.
func emptying(r Record, root Root, pidfd int) *Program {
	b := &builder{spec: Spec{Layers: r.Layers}}
	devices := r.Mapping == ByRoot && len(root.Nodes) > 0 // on a mount of the keeper's making
	spaces := []bit{{"CLONE_NEWNS", unix.CLONE_NEWNS}}
	if b.on(layer.UserNamespace) {
		spaces = append([]bit{{"CLONE_NEWUSER", unix.CLONE_NEWUSER}}, spaces...)
	}
	b.rows(step("", "join", sysSetns, "with the rights to change its mounts and none on the host",
		descriptor("hypervisor", pidfd), flags(spaces...)))
	away := flags(bit{"MNT_DETACH", unix.MNT_DETACH}, bit{"UMOUNT_NOFOLLOW", unix.UMOUNT_NOFOLLOW})
	for _, at := range root.mountpoints(devices) {
		b.rows(step("", "detach-"+at, sysUmount, "mapped and open pages stay, the name goes", str(at), away))
	}
	b.rows(step("", "unlock-room", sysMountSetattr, "for the instant it takes to empty it", cwd, str("/"), number(0),
		mem("{attr_clr=RDONLY}", &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}), number(unix.MOUNT_ATTR_SIZE_VER0)))
	for _, at := range root.leaves(devices) {
		b.rows(step("", "remove-"+at, sysUnlinkat, "", cwd, str(at), number(0)))
	}
	dirs := root.directories()
	slices.Reverse(dirs) // children sort behind their parents
	for _, dir := range dirs {
		b.rows(step("", "rmdir-/"+dir, sysUnlinkat, "", cwd, str("/"+dir), flags(bit{"AT_REMOVEDIR", unix.AT_REMOVEDIR})))
	}
	b.rows(b.attributes("lock-room", "/", "for good", rdonly, nodev, nosuid, noexec))
	return &b.Program
}

func (r Root) mountpoints(devices bool) []string {
	var at []string
	for _, f := range r.Files {
		at = append(at, string(f.Room))
	}
	if devices {
		return append(at, "/"+devDir)
	}
	for _, n := range r.Nodes {
		at = append(at, string(n.Room))
	}
	return at
}

// leaves are the names to remove: nodes of the keeper's went with their mount.
func (r Root) leaves(devices bool) []string {
	var at []string
	for _, p := range r.paths() {
		if devices && path.Dir(string(p)) == "/"+devDir {
			continue
		}
		at = append(at, string(p))
	}
	return at
}

// enter runs a program to its end in a child of its own.
func enter(program *Program) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("cannot empty the room: pipe: %w", err)
	}
	l := &launch{sync: -1, reports: pipe[0], childs: pipe[1:]}
	defer l.close()
	loaded, err := program.load(pipe[1])
	if err != nil {
		return err
	}
	pid, err := loaded.fork(&cloneArgs{Flags: unix.CLONE_CLEAR_SIGHAND, ExitSignal: uint64(unix.SIGCHLD)})
	if err != nil {
		return fmt.Errorf("cannot empty the room: clone: %w", err)
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
		return fmt.Errorf("cannot empty the room: %w", failed)
	}
	return nil
}
