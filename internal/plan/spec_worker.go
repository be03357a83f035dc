package plan

import (
	"fmt"
	"strings"
)

// Worker is the process that speaks with the hypervisor for its keeper, in a jail of its own. It ends with its
// keeper, and is started anew where it dies alone.
type Worker struct {
	Identity string   `json:"identity"` // as of Jail
	UID      int      `json:"uid"`
	GID      int      `json:"gid"`
	Rlimits  []Rlimit `json:"rlimits"`
}

// Kind implements Spec.
func (*Worker) Kind() Kind { return KindWorker }

// Take implements Spec.
func (w *Worker) Take() []string {
	limits := make([]string, len(w.Rlimits))
	for i, l := range w.Rlimits {
		limits[i] = fmt.Sprintf("--%s=%d", l.Name, l.Value)
	}
	return []string{fmt.Sprintf("unshare --fork --user --mount --pid --net --ipc --uts --cgroup prlimit %s setpriv --reuid %d --regid %d "+
		"--clear-groups --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs env -i skep '(worker)' 3<>keeper &",
		strings.Join(limits, " "), w.UID, w.GID)}
}

// Release implements Spec.
func (w *Worker) Release() []string { return []string{fmt.Sprintf("pkill -KILL -u %d", w.UID)} }
