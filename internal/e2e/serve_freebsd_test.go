package e2e

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// emulated is for hosts without KVM; bhyve has nothing else than vmm.ko.
const emulated = ""

// servingLab compares the host before and after: the page's jail goes with skep serve.
func servingLab(t *testing.T) *lab {
	t.Helper()
	return clean(t)
}

// flagsOf are those that procstat(1) shows of a process: C where it is in capability mode.
func flagsOf(pid int) string {
	out, _ := exec.Command("procstat", "-h", "-s", strconv.Itoa(pid)).Output()
	fields := strings.Fields(string(out))
	if len(fields) < 10 {
		return ""
	}
	return fields[9] // after umask
}

func ofProcess(pid int, what string) string {
	out, _ := exec.Command("ps", "-o", what+"=", "-p", strconv.Itoa(pid)).Output()
	return strings.TrimSpace(string(out))
}

func pageIsJailed(pid int) bool { return strings.Contains(flagsOf(pid), "C") }

// lookAtPage compares the process of a page with nobody in an empty jail.
func lookAtPage(t *testing.T, page int) {
	t.Helper()
	jid := ofProcess(page, "jid")
	if jid == "" || jid == "0" {
		t.Fatalf("the page is in jail %q", jid)
	}
	if uid := ofProcess(page, "uid"); uid == "0" || uid == "" {
		t.Errorf("the page's user is %q", uid)
	}
	for _, p := range [][2]string{{"path", "/var/empty"}, {"ip4", "disable"}, {"ip6", "disable"}, {"securelevel", "3"}, {"children.max", "0"}} {
		if got := strings.TrimSpace(must(t, "jls", "-j", jid, p[0])); got != p[1] {
			t.Errorf("%s of the page's jail is %q, want %q", p[0], got, p[1])
		}
	}
	if got := strings.TrimSpace(must(t, "jls", "-n", "-j", jid, "persist")); got != "nopersist" {
		t.Errorf("the page's jail stays where skep serve is killed: %s", got)
	}
}

// ofAnother is a user's request who may not make it.
func ofAnother(socket string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", `printf 'GET /api/v1/cells HTTP/1.0\r\nHost: localhost\r\n\r\n' | nc -U "$0"`, socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}
