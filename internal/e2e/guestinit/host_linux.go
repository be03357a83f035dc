package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// settle makes a host of this guest, which lives in its initial root: control groups, and the
// directories that programs write to.
func settle() error {
	for _, dir := range []string{"/etc", "/run", "/tmp", "/var/lib", "/root", "/sys/fs/cgroup"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod("/tmp", 0o777|os.ModeSticky); err != nil {
		return err
	}
	if err := os.WriteFile("/etc/passwd", []byte("root:x:0:0::/root:/bin/sh\n"), 0o644); err != nil {
		return err
	}
	if err := unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
		return err
	}
	say("settled")
	return nil
}

// run starts a program: "run UID INPUT PROGRAM ARGUMENT…", with INPUT on its standard input.
func run(rest string) error {
	f := strings.Fields(rest)
	uid, err := strconv.Atoi(f[0])
	if err != nil {
		return err
	}
	cmd := exec.Command(f[2], f[3:]...)
	home := "/tmp/" + f[0]
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	if err := os.Chown(home, uid, uid); err != nil {
		return err
	}
	cmd.Env, cmd.Dir = []string{"HOME=" + home, "PATH=/usr/bin"}, home
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(f[1]), os.Stdout, os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return err
	}
	say("exit %d of %s", cmd.ProcessState.ExitCode(), strings.Join(f[2:], " "))
	return nil
}
