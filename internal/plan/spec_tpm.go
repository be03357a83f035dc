package plan

import (
	"fmt"
	"strings"

	"skep/internal/host"
	"skep/internal/layout"
)

// TPM is a process that is the guest's TPM: swtpm, in a jail of its own. It ends with the hypervisor, with which it
// shares a pair of sockets.
type TPM struct {
	Program  string   `json:"program"`
	State    string   `json:"state"`    // what it remembers
	Identity string   `json:"identity"` // as of Jail
	UID      int      `json:"uid"`
	GID      int      `json:"gid"`
	Rlimits  []Rlimit `json:"rlimits"`
}

// TPMStateMax is how large the state of a TPM may become. With all its non-volatile memory in use it is some 200 KiB.
const TPMStateMax = 4 << 20

// Kind implements Spec.
func (*TPM) Kind() Kind { return KindTPM }

// Take implements Spec.
func (t *TPM) Take() []string {
	limits := make([]string, len(t.Rlimits))
	for i, l := range t.Rlimits {
		limits[i] = fmt.Sprintf("--%s=%d", l.Name, l.Value)
	}
	return []string{": >> " + quote(t.State), fmt.Sprintf("unshare --fork --user --mount --pid --net --ipc --uts --cgroup prlimit %s setpriv --reuid %d --regid %d "+
		"--clear-groups --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs env -i %s 3<>tpm &",
		strings.Join(limits, " "), t.UID, t.GID, command(append([]string{t.Program}, t.Argv("/tpm.state")[1:]...)...))}
}

// Release implements Spec.
func (t *TPM) Release() []string { return endOf(t.Identity, t.UID) }

// Argv is its command line; state is where it finds what it remembers.
func (*TPM) Argv(state string) []string {
	return []string{"swtpm", "socket", "--tpm2", "--tpmstate", "backend-uri=file://" + state, "--ctrl", "type=unixio,clientfd=3",
		"--terminate", "--seccomp", "action=none"}
}

// tpm adds the guest's TPM.
func (b *builder) tpm() {
	if b.cell.TPM == nil {
		return
	}
	who := host.TPMIdentity(b.host, b.plan.Slot)
	b.add("tpm", "tpm", "the guest's TPM: swtpm, which ends with the hypervisor; its state stays", &TPM{
		Program: b.host.Linux.SWTPM, State: b.kept(layout.TPM), Identity: who.Mapping, UID: who.UID, GID: who.GID,
		Rlimits: []Rlimit{{"core", 0}, {"nofile", 32}, {"nproc", 16}, {"data", 64 << 20}, {"fsize", TPMStateMax},
			{"memlock", 0}, {"msgqueue", 0}, {"locks", 16}, {"sigpending", 64}},
	})
}
