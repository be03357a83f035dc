package e2e

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// emulated has a cell run where there is no KVM.
const emulated = "accel = \"tcg\""

func servingLab(t *testing.T) *lab {
	t.Helper()
	needCells(t)
	return newLab(t)
}

func pageIsJailed(pid int) bool { return statusOf(pid)["Seccomp"] == "2" }

// lookAtPage compares the process of a page with nobody in an empty room.
func lookAtPage(t *testing.T, page int) {
	t.Helper()
	status := statusOf(page)
	for _, caps := range []string{"CapEff", "CapPrm", "CapBnd"} {
		if strings.Trim(status[caps], "0") != "" {
			t.Errorf("the page has %s %s", caps, status[caps])
		}
	}
	if uid := strings.Fields(status["Uid"])[0]; uid == "0" {
		t.Error("the page is root")
	}
	if status["NoNewPrivs"] != "1" {
		t.Error("the page may gain privileges")
	}
	if entries, err := os.ReadDir(procOf(page, "root")); err != nil || len(entries) > 0 {
		t.Errorf("the page's root has %d entries, %v", len(entries), err)
	}
	for _, ns := range []string{"net", "pid", "mnt", "user", "ipc"} {
		ours, _ := os.Readlink("/proc/self/ns/" + ns)
		if theirs, err := os.Readlink(procOf(page, "ns/"+ns)); err != nil || theirs == ours {
			t.Errorf("the page is in the host's %s namespace: %v", ns, err)
		}
	}
}

// ofAnother is a user's request who may not make it. perl(1) is on every Debian.
func ofAnother(socket string) *exec.Cmd {
	cmd := exec.Command("perl", "-MIO::Socket::UNIX", "-e", `$s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!;
print $s "GET /api/v1/cells HTTP/1.0\r\nHost: localhost\r\n\r\n"; print while <$s>`, socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}
