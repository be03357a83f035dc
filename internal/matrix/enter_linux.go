package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// insideArg is the first argument of the process that enters a userland.
const insideArg = "_inside"

// enter is a command in a userland whose root is the directory, as its host would run it. binds are
// directories of this host that are seen there at the same place, read-only.
func enter(root string, binds []string, env []string, argv ...string) *exec.Cmd {
	args := append([]string{insideArg, root, strings.Join(binds, ":"), "--"}, argv...)
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		// What is started in there ends with the matrix, whatever it is.
		Pdeathsig: unix.SIGKILL,
	}
	return cmd
}

// inside makes the userland's mounts, goes there for good, and is init to the command.
func inside(args []string) int {
	root, binds, argv := args[0], strings.Split(args[1], ":"), args[3:]
	if err := settle(root, binds); err != nil {
		fmt.Fprintln(os.Stderr, "matrix: enter", root+":", err)
		return 125
	}
	return initFor(argv)
}

// A mount of a userland's.
type mount struct {
	what, where, kind string
	flags             uintptr
	data              string
}

// settle mounts what a host has and makes the directory the root of this mount namespace.
func settle(root string, binds []string) error {
	mounts := []mount{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{root, root, "", unix.MS_BIND, ""},
		{"proc", root + "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		// sysfs with the control groups below it, and the devices, are the host's.
		{"/sys", root + "/sys", "", unix.MS_BIND | unix.MS_REC, ""},
		{"/dev", root + "/dev", "", unix.MS_BIND | unix.MS_REC, ""},
		{"run", root + "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
		// As Debian has it from 13 on.
		{"tmp", root + "/tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
	}
	for _, b := range binds {
		if b == "" {
			continue
		}
		if err := os.MkdirAll(filepath.Join(root, b), 0o755); err != nil {
			return err
		}
		mounts = append(mounts, mount{b, filepath.Join(root, b), "", unix.MS_BIND, ""})
	}
	for _, m := range mounts {
		if err := unix.Mount(m.what, m.where, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.what, m.where, err)
		}
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	return unix.Sethostname([]byte("matrix"))
}

// initFor starts the command and buries everybody, until the command itself has ended. Orphans
// there are: every keeper is one.
func initFor(argv []string) int {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		return 126
	}
	p, err := os.StartProcess(path, argv, &os.ProcAttr{Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		return 126
	}
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 126
		case pid == p.Pid && ws.Exited():
			return ws.ExitStatus()
		case pid == p.Pid && ws.Signaled():
			return 128 + int(ws.Signal())
		}
	}
}
