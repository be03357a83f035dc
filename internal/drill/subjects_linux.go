package drill

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"skep/internal/drill/bait"
)

// The subjects. Each gets what its manual offers for running one program that nobody trusts, as far as
// that is a matter of an option and not of a policy written for this one program: a cell's is written
// for a hypervisor, theirs have to fit every program. Where the issue says "default", it is the default.
//
// All show the host's /usr, as an image would hold a hypervisor and its libraries.
var subjects = []subject{
	{name: "plain-user", commands: 1, user: true,
		words: func(r peerRootfs) []string { return []string{r.program} }},
	{name: "bwrap", commands: 1, program: "bwrap", release: []string{"bwrap", "--version"}, user: true, inside: attackerInside,
		// Everything that it can unshare and drop, no home, no variable, no terminal.
		words: func(r peerRootfs) []string {
			return []string{"bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv", "--hostname", "room",
				"--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
				"--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", r.program, attackerInside, attackerInside}
		}},
	{name: "firejail", commands: 1, program: "firejail", release: []string{"firejail", "--version"}, user: true,
		// Its own profile for QEMU, and what that leaves open and an option closes.
		words: func(r peerRootfs) []string {
			return []string{"firejail", "--quiet", "--profile=" + firejailProfile, "--net=none", "--private", "--private-dev", "--ipc-namespace", r.program}
		},
		prepare: needProfile},
	{name: "runc", commands: 3, program: "runc", release: []string{"runc", "--version"}, inside: attackerInside,
		// What runc spec writes, with the program and /usr put in.
		words: func(r peerRootfs) []string {
			return []string{"runc", "--root", r.dir + "/state", "run", "--preserve-fds", "1", "--bundle", r.dir, runcName}
		},
		prepare: bundle,
		clean: func(r peerRootfs) {
			_ = exec.Command("runc", "--root", r.dir+"/state", "delete", "--force", runcName).Run()
		}},
	{name: "nspawn", commands: 1, program: "systemd-nspawn", release: []string{"systemd-nspawn", "--version"}, inside: attackerInside,
		// A root of its own, users and a network of its own, no new privileges.
		words: func(r peerRootfs) []string {
			return []string{"systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--settings=no", "--directory=" + r.root(), "--read-only", "--bind-ro=/usr",
				"--private-network", "--private-users=1879048192:65536", "--no-new-privileges=yes", "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe", attackerInside}
		},
		prepare: peerRootfs.makeRoot},
}

const (
	firejailProfile = "/etc/firejail/qemu-system-x86_64.profile"
	runcName        = "skep-drill-peer"
)

func needProfile(peerRootfs) error {
	if _, err := os.Stat(firejailProfile); err != nil {
		return errors.New("its profile for QEMU is not installed; scripts/deps peers installs it")
	}
	return nil
}

// makeRoot makes a root with the attacker in it.
func (r peerRootfs) makeRoot() error {
	return errors.Join(EmptyRootfs(r.root()), os.WriteFile(r.inRoot(), bait.Attackers[runtime.GOARCH], 0o755), os.Chmod(r.inRoot(), 0o755))
}

// bundle makes a root and runc's default configuration for the attacker in it.
func bundle(r peerRootfs) error {
	if err := r.makeRoot(); err != nil {
		return err
	}
	return RuncBundle(r.dir, attackerInside, "", "")
}
