package plan

import (
	"path/filepath"
	"strconv"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/jailparam"
)

// Stack is a network stack of FreeBSD's that nobody uses: a jail without a process, in which the taps of cards on
// networks in user space are. What a guest sends there meets no address, no route and no other interface, so that
// it reaches nobody but who has bpf(4) bound to the tap.
type Stack struct {
	Jail string `json:"jail"`
}

// emptyRoot is a directory that stays empty, hier(7).
const emptyRoot = "/var/empty"

// StackJail is the name of the jail with a cell's network stack. No cell's own has such a name.
func StackJail(name string) string { return "skepstack-" + name }

// Kind implements Spec.
func (*Stack) Kind() Kind { return KindStack }

// Params are the parameters of its jail. suser is for the moment in which it is prepared.
func (s *Stack) Params(suser bool) []jailparam.Param {
	params := []jailparam.Param{
		jailparam.String("name", s.Jail),
		jailparam.String("path", emptyRoot),
		jailparam.String("host.hostname", "network"),
		jailparam.System("vnet", jailparam.New),
		jailparam.Int("securelevel", 3),
		jailparam.Int("children.max", 0),
		jailparam.Int("enforce_statfs", 2),
		jailparam.Bool("persist", true),
		jailparam.Bool("allow.suser", suser),
	}
	for _, name := range refused {
		params = append(params, jailparam.Bool("allow."+name, false))
	}
	return params
}

// Prison is how it is looked for.
func (s *Stack) Prison() *Prison { return &Prison{Name: s.Jail, Path: emptyRoot} }

// Take implements Spec.
func (s *Stack) Take() []string {
	argv, err := jailparam.Argv(s.Params(false))
	if err != nil {
		return []string{"# " + err.Error()}
	}
	return []string{command(argv...), "# in that jail: sysctl net.inet6.ip6.auto_linklocal=0"}
}

// Release implements Spec.
func (s *Stack) Release() []string { return []string{command("jail", "-r", s.Jail)} }

// serviceJail is the jail of what serves a card, which has so many files more than a worker, and writes none that is
// larger. It is named for the tap, which no other card has.
func (b *builder) serviceJail(what, label, tap string, card, files int, most cell.Size) *Worker {
	who := host.ServiceIdentity(b.host, b.plan.Slot, card)
	w := &Worker{
		Identity: who.Mapping, UID: who.UID, GID: who.GID, Jail: "skep" + what + "-" + tap,
		Root:    filepath.Join(RunDir(b.host, b.cell.Name), what+"-"+label),
		Rlimits: []Rlimit{{"core", 0}, {"nofile", uint64(workerFiles + files)}, {"nproc", 1}, {"as", workerAddresses}, {"fsize", uint64(most) + 1<<20}, {"memlock", 0}},
	}
	if b.host.FreeBSD != nil && b.host.FreeBSD.Racct {
		w.Rules = serviceRules(w.Jail, workerFiles+files)
	}
	return w
}

// serviceRules are what the kernel counts of such a jail, where it counts.
func serviceRules(jail string, files int) (rules []string) {
	for _, r := range []string{"maxproc:deny=1", "nthr:deny=" + strconv.Itoa(workerThreads), "openfiles:deny=" + strconv.Itoa(files),
		"memoryuse:sigkill=" + strconv.Itoa(workerMemory), "coredumpsize:deny=0", "msgqsize:deny=0", "shmsize:deny=0", "nsem:deny=0"} {
		rules = append(rules, "jail:"+jail+":"+r)
	}
	return rules
}
