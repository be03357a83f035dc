package audit

import (
	"fmt"
	"slices"
	"strings"

	"skep/internal/layer"
	"skep/internal/plan"
)

// workerSeen is the process that speaks with the hypervisor, as the kernel shows it.
type workerSeen struct {
	besideSeen
	// Log is the hypervisor's log.
	Log fileID `json:"log"`
	// Sockets are names as of a hypervisor's.
	Sockets map[uint64]string `json:"sockets"`
}

// worker: who reads what the hypervisor says has no rights either.
func (a *linuxAudit) worker() {
	want := a.workerSpec()
	if want == nil || a.state == nil || a.state.Worker == nil {
		return
	}
	w := a.Worker
	if w == nil {
		a.add(GroupWorker, "worker-uid", Missing, "a live worker", fmt.Sprintf("process %d has ended", a.state.Worker.PID))
		return
	}
	_, applied := a.applied(layer.EmptyRootfs)
	of := besideWant{group: GroupWorker, prefix: "worker", uid: want.UID, gid: want.GID, ownUID: !a.waived(layer.OwnUID),
		empty: applied && !a.waived(layer.EmptyRootfs)}
	if r := a.state.WorkerJail; r != nil {
		of.known, of.sealed, of.calls, of.filters = true, r.Sealed, r.RunCalls, r.FilterCount()
	}
	a.beside(&w.besideSeen, of)
	a.besideHandles(&w.besideSeen, GroupWorker, "worker", func(d Descriptor) bool { return a.plannedOfWorker(w, d) })
}

func (a *linuxAudit) workerSpec() *plan.Worker {
	if a.plan == nil {
		return nil
	}
	for _, w := range plan.Specs[*plan.Worker](a.plan) {
		return w
	}
	return nil
}

// shares says whether the plan lets a namespace be the host's.
func (a *linuxAudit) shares(namespace string) bool {
	j := a.jailSpec()
	if j == nil {
		return false
	}
	if namespace == "mnt" {
		namespace = "mount"
	}
	return !slices.Contains(j.Namespaces, namespace)
}

// plannedOfWorker says whether a worker is handed such a descriptor, or makes it for itself: sockets and pipes to
// keeper, hypervisor and viewers, the hypervisor's log to write to, a picture while it is drawn.
func (a *linuxAudit) plannedOfWorker(w *workerSeen, d Descriptor) bool {
	rest, anonymous := strings.CutPrefix(d.Target, "anon_inode:")
	switch {
	case anonymous:
		return rest == "[eventfd]" || rest == "[eventpoll]"
	case strings.HasPrefix(d.Target, "socket:"):
		return a.socketOfWorker(w.Sockets[d.Inode])
	case strings.HasPrefix(d.Target, "/memfd:screenshot"):
		return true
	case strings.HasPrefix(d.Target, "pipe:"):
		return d.Flags&accessMode == 0
	case d.Target == devNull:
		return true
	}
	return fileID{d.Dev, d.Inode} == w.Log && d.Flags&accessMode == 1
}

// socketOfWorker judges a socket by its name: to keeper and hypervisor UNIX sockets, and to viewers connections to the
// port of the screen, where that is one.
func (a *linuxAudit) socketOfWorker(name string) bool {
	switch kind, _, _ := strings.Cut(name, " "); kind {
	case "tcp", "tcp6":
		return slices.ContainsFunc(plan.Specs[*plan.Screen](a.plan), func(s *plan.Screen) bool {
			return s.Listen != "" && samePort(name, s.Listen)
		})
	case "udp", "udp6", "raw", "raw6", "packet", "netlink", "":
		return false
	}
	return true
}
