package plan

import (
	"fmt"
	"strconv"
	"strings"

	"skep/internal/host"
	"skep/internal/jailparam"
)

// Worker is the process that speaks with the hypervisor for its keeper, in a jail of its own. It ends with its
// keeper, and is started anew where it dies alone.
type Worker struct {
	Identity string   `json:"identity"` // as of Jail
	UID      int      `json:"uid"`
	GID      int      `json:"gid"`
	Rlimits  []Rlimit `json:"rlimits"`
	// Jail, Root and Rules are of FreeBSD: the name of its jail, the empty file system that is its root, and the
	// limits of all of it.
	Jail  string   `json:"jail,omitempty"`
	Root  string   `json:"root,omitempty"`
	Rules []string `json:"rules,omitempty"`
}

// Kind implements Spec.
func (*Worker) Kind() Kind { return KindWorker }

// WorkerJail is the name of the jail of a cell's worker. No cell's own has such a name.
func WorkerJail(name string) string { return "skepworker-" + name }

// Params are the parameters of its jail: it has no network, no device, no rights.
func (w *Worker) Params() []jailparam.Param {
	params := []jailparam.Param{
		jailparam.String("name", w.Jail),
		jailparam.String("path", w.Root),
		jailparam.String("host.hostname", "worker"),
		jailparam.System("ip4", jailparam.Disable), jailparam.System("ip6", jailparam.Disable),
		jailparam.Int("securelevel", 3),
		jailparam.Int("children.max", 0),
		jailparam.Int("enforce_statfs", 2),
		jailparam.Bool("persist", true),
		jailparam.Bool("allow.suser", false),
	}
	for _, name := range refused {
		params = append(params, jailparam.Bool("allow."+name, false))
	}
	return params
}

// Take implements Spec.
func (w *Worker) Take() []string {
	if w.Jail != "" {
		return w.takeJail()
	}
	limits := make([]string, len(w.Rlimits))
	for i, l := range w.Rlimits {
		limits[i] = fmt.Sprintf("--%s=%d", l.Name, l.Value)
	}
	return []string{fmt.Sprintf("unshare --fork --user --mount --pid --net --ipc --uts --cgroup prlimit %s setpriv --reuid %d --regid %d "+
		"--clear-groups --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs env -i skep '(worker)' 3<>keeper &",
		strings.Join(limits, " "), w.UID, w.GID)}
}

// takeJail is Take on FreeBSD.
func (w *Worker) takeJail() []string {
	return append(w.enclose(), "# as user "+strconv.Itoa(w.UID)+" in that jail, in capability mode: skep '(worker)' 3<>keeper &")
}

// enclose makes its jail.
func (w *Worker) enclose() []string {
	argv, err := jailparam.Argv(w.Params())
	if err != nil {
		return []string{"# " + err.Error()}
	}
	lines := []string{command("mkdir", w.Root), command("mount", "-t", "tmpfs", "-o", "ro,nosuid,noexec,size=4096", "tmpfs", w.Root), command(argv...)}
	for _, r := range w.Rules {
		lines = append(lines, command("rctl", "-a", r))
	}
	return lines
}

// Release implements Spec.
func (w *Worker) Release() []string {
	if w.Jail != "" {
		lines := []string{command("jail", "-r", w.Jail), command("umount", w.Root), command("rmdir", w.Root)}
		if len(w.Rules) > 0 {
			lines = append(lines, command("rctl", "-r", "jail:"+w.Jail))
		}
		return lines
	}
	return endOf(w.Identity, w.UID)
}

// endOf ends a process that is alone with its number. The caller's own is that of all that the caller runs.
func endOf(identity string, uid int) []string {
	if identity == host.MappingOwn {
		return []string{"kill -KILL %%"}
	}
	return []string{fmt.Sprintf("pkill -KILL -u %d", uid)}
}
