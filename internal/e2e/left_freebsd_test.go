package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hostHas says which guests run here; a KVM there is none, and a firmware is a test's own business.
func hostHas(what string) bool { return what == "cells" && hostLacks() == "" }

// hostLacks says why no cell can run, or "".
func hostLacks() string {
	jailed, err := unix.SysctlUint32("security.jail.jailed")
	switch {
	case os.Geteuid() != 0:
		return "jails are root's"
	case !sysctlThere("security.jail.param.allow.vmm"):
		return "vmm.ko is not loaded"
	case !file("/usr/sbin/bhyve"):
		return "there is no bhyve"
	case err == nil && jailed != 0:
		return "this is the inside of a jail"
	}
	return ""
}

// left lists the jails, mounts and running cells of the lab.
func (l *lab) left() (left []string) {
	for _, what := range []string{"jls name path", "mount -p"} {
		argv := strings.Fields(what)
		out, err := exec.Command(argv[0], argv[1:]...).Output()
		if err != nil {
			left = append(left, what+": "+err.Error())
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, l.dir+"/") {
				left = append(left, argv[0]+": "+strings.TrimSpace(line))
			}
		}
	}
	cells, _ := filepath.Glob(l.path("run/cells/*"))
	return append(left, cells...)
}

// nothingLeft fails unless all that skep did here is undone but for what is meant to stay.
func (l *lab) nothingLeft() {
	l.t.Helper()
	var left []string
	for deadline := time.Now().Add(slow); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if left = l.left(); len(left) == 0 {
			return
		}
	}
	l.t.Fatalf("left behind:\n  %s", strings.Join(left, "\n  "))
}

func (l *lab) close() {
	if hostLacks() == "" && len(l.left()) > 0 {
		l.skep("down", "--all", "--force")
		l.skep("sweep")
	}
	os.RemoveAll(l.dir)
}
