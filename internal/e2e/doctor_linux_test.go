package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// doctor and run name the true reason of what stands in the way, and what takes it away. None of it is
// the kernel's version, and no reason is the name of a step.
func TestDoctorNamesTheReason(t *testing.T) {
	needCells(t)
	for _, tool := range []string{"unshare", "prlimit", "mount", "chroot"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool)
		}
	}
	private := []string{"unshare", "--mount", "--propagation", "private", "sh", "-ec"}
	shell := func(script string) []string { return append(private, script+`; exec "$@"`, "sh") }
	for _, tt := range []struct {
		name     string
		as       []string
		why, fix string
	}{
		{"chroot", shell(`mkdir -p "$PWD/x"; mount --rbind / "$PWD/x"; set -- chroot "$PWD/x" "$@"`), "this is a chroot", "pivot_root"},
		{"no /proc", shell("umount -l /proc"), "no /proc is mounted", "mount -t proc proc /proc"},
		{"no /dev", shell("umount -R -l /dev; mount -t tmpfs tmpfs /dev"), "open /dev/null: no such file or directory", "mount -t devtmpfs devtmpfs /dev"},
		{"another /proc", []string{"unshare", "--pid", "--fork"}, "/proc is that of another process namespace", "mount -t proc proc /proc"},
		{"no control groups", shell("umount -R -l /sys/fs/cgroup"), "no cgroup file system is mounted for writing", "mount -t cgroup2 cgroup2 /sys/fs/cgroup"},
		{"read-only control groups", shell(`awk '$3 ~ /^cgroup/ { print $2 }' /proc/mounts | while read -r m; do mount -o remount,bind,ro "$m"; done`), "is read-only", "remount,rw"},
		{"no user namespaces", []string{"unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-ec",
			`echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"`, "sh"}, "user.max_user_namespaces=0", "sysctl user.max_user_namespaces=10000"},
		{"few open files", []string{"prlimit", "--nofile=64:64"}, "only 64 files can be open at once (ulimit -n)", "LimitNOFILE"},
		{"few processes", []string{"prlimit", "--nproc=5:5"}, "only 5 processes and threads can run (ulimit -u)", "LimitNPROC"},
		{"small files", []string{"prlimit", "--fsize=10240:10240"}, "only 10240 bytes can be in a file (ulimit -f)", "LimitFSIZE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			l.as = tt.as
			doctor := l.skep("doctor")
			if doctor.code == 0 || !strings.Contains(doctor.out, tt.why) || !strings.Contains(doctor.out, tt.fix) {
				t.Errorf("doctor does not say %q and %q: %s", tt.why, tt.fix, doctor)
			}
			run := l.typed("q", "run", "hello")
			if run.code == 0 || !strings.Contains(run.err, tt.why) || !strings.Contains(run.err, tt.fix) {
				t.Errorf("run does not say %q and %q: %s", tt.why, tt.fix, run)
			}
			for _, wrong := range []string{"Linux 3.8", "step "} {
				if strings.Contains(doctor.out+run.err, wrong) {
					t.Errorf("it says %q: %s%s", wrong, doctor.out, run.err)
				}
			}
			l.nothingLeft()
		})
	}
}

// A host on which no cell runs is not called good: the doctor starts one.
func TestDoctorStartsTheGuest(t *testing.T) {
	needCells(t)
	l := newLab(t)
	good := l.must(0, "doctor")
	if !strings.Contains(good.out, "the built-in guest ran in it, emulated") {
		t.Errorf("the guest was not run: %s", good)
	}
	// A QEMU that answers like one and runs nothing.
	bad := l.write("qemu-system-x86_64", "#!/bin/sh\ncase $1 in --version) echo QEMU emulator version 9.1.0;; -L) echo /usr/share/qemu;; *) exit 3;; esac\n")
	if out, err := exec.Command("chmod", "755", bad).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l.env = append(l.env, "SKEP_QEMU="+bad)
	if r := l.skep("doctor"); r.code == 0 || strings.Contains(r.out, "cells run") {
		t.Errorf("a QEMU that runs nothing is called good: %s", r)
	}
	l.nothingLeft()
}
