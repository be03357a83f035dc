package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// needTPM skips where there is nothing to make a TPM of.
func needTPM(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("swtpm"); err != nil {
		t.Skip("needs swtpm")
	}
}

// A guest has a TPM that nobody else has: a process in a jail of its own, which goes on without its keeper and ends
// with its hypervisor. What it knows stays, and goes back with a snapshot.
func TestTPM(t *testing.T) {
	k := needKernel(t)
	needTPM(t)
	t.Parallel()
	l := newLab(t)
	base := l.baseImage("base.img", "of the base", 16<<20)
	body := "accel = \"tcg\"\nmemory = \"192M\"\ntpm {}\ndisk \"root\" {\n  base = \"" + base + "\"\n}\n" + kernelBlock(k)
	l.cell("t", body)
	l.must(0, "up", "t")
	c := l.console("t")
	c.expect(boot, "guest: ready")
	ask := func(order, answer string) {
		t.Helper()
		c.send(order + "\n")
		c.expect(slow, "guest: "+answer)
	}
	reset := func() {
		t.Helper()
		c.send("reset\n")
		c.expect(boot, "guest: ready")
		ask("tpm", "tpm reset 2 times")
	}
	ask("tpm", "tpm reset 1 times")
	l.audit(0, "t")
	l.must(0, "snapshot", "t", "a")
	ask("write after", "written")
	reset()
	l.must(0, "revert", "t", "a")
	ask("tpm", "tpm reset 1 times")
	tpm := l.service("t", "tpm")
	s := l.show("t")
	l.try(unix.Kill(s.KeeperPID, unix.SIGKILL))
	eventually(t, slow, "its keeper is gone", func() bool { return gone(s.KeeperPID) })
	l.must(0, "adopt", "t")
	ask("tpm", "tpm reset 1 times")
	if now := l.service("t", "tpm"); now != tpm {
		t.Errorf("the TPM was process %d and is %d", tpm, now)
	}
	l.audit(0, "t")
	reset()
	l.must(0, "kill", "t")
	eventually(t, slow, "the TPM has ended with its hypervisor", func() bool { return gone(tpm) })
	// Of a cell that does not run a snapshot has its state; rm leaves it.
	state := l.path("state/cells/t/tpm.state")
	then, err := os.ReadFile(state)
	l.try(err)
	l.must(0, "snapshot", "t", "b")
	_ = os.Remove(l.path("state/cells/t/console.log"))
	l.must(0, "up", "t")
	c = l.console("t")
	c.expect(boot, "guest: ready")
	ask("tpm", "tpm reset 3 times")
	// One that ends alone is told of, and the guest goes on.
	l.try(unix.Kill(l.service("t", "tpm"), unix.SIGKILL))
	ask("count", "count 1")
	eventually(t, slow, "its end is told of", func() bool {
		log, _ := os.ReadFile(l.path("state/cells/t/keeper.log"))
		return strings.Contains(string(log), "its TPM has ended")
	})
	l.audit(5, "t")
	l.must(0, "down", "t")
	l.must(0, "revert", "t", "b")
	if now, _ := os.ReadFile(state); string(now) != string(then) {
		t.Error("its TPM did not go back")
	}
	if r := l.must(0, "clone", "t", "copy"); !strings.Contains(r.err, "a TPM of its own") {
		t.Error(r)
	}
	if r := l.must(2, "template", "make", "t", "--when", "guest: ready"); !strings.Contains(r.err, "a TPM belongs to one guest") {
		t.Error(r)
	}
	l.must(0, "rm", "--yes", "t")
	if _, err := os.Stat(state); err != nil {
		t.Errorf("rm has removed what the TPM knew: %v", err)
	}
	l.cell("t", body)
	l.must(0, "disk", "rm", "--yes", "t", "tpm")
	if _, err := os.Stat(state); err == nil {
		t.Error("disk rm has left it")
	}
	l.nothingLeft()
}

// service is the process of one of a cell's services.
func (l *lab) service(name, id string) int {
	l.t.Helper()
	var s struct {
		Services []struct {
			ID  string
			PID int
		}
	}
	l.try(json.Unmarshal([]byte(l.must(0, "show", "--json", name).out), &s))
	for _, v := range s.Services {
		if v.ID == id {
			return v.PID
		}
	}
	l.t.Fatalf("%s has no %s: %+v", name, id, s)
	return 0
}

// With Secure Boot the firmware starts nothing that is not signed, its own shell neither.
func TestSecureBoot(t *testing.T) {
	needUEFI(t)
	needTPM(t)
	if _, err := os.Stat("/usr/share/OVMF/OVMF_VARS_4M.ms.fd"); err != nil {
		t.Skip("needs a firmware for Secure Boot")
	}
	t.Parallel()
	l := newLab(t)
	if r := l.skep("check", l.write("bad.hcl", "cell \"bad\" {\n  secure_boot = true\n}\n")); r.code != 2 || !strings.Contains(r.err, `only valid with boot = "uefi"`) {
		t.Error(r)
	}
	l.cell("s", "boot = \"uefi\"\nsecure_boot = true\nmemory = \"256M\"\naccel = \"tcg\"\ntpm {\n  model = \"tis\"\n}")
	l.must(0, "up", "s")
	c := l.console("s")
	if c.expectOne(firmware, "Security Violation", "Access Denied", "Shell>") == "Shell>" {
		t.Error("the shell, which nobody has signed, was started")
	}
	l.audit(0, "s")
	l.must(0, "kill", "s")
	if _, err := os.Stat(l.path("state/cells/s/uefi-vars-secure.fd")); err != nil {
		t.Error(err)
	}
	l.nothingLeft()
}
