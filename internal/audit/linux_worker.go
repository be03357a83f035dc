package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"skep/internal/layer"
	"skep/internal/plan"
)

// workerSeen is the process that speaks with the hypervisor, as the kernel shows it.
type workerSeen struct {
	Status  map[string]string `json:"status"`
	NS      map[string]string `json:"ns"`
	Threads []linuxThread     `json:"threads"`
	Mounts  []linuxMount      `json:"mounts"`
	Files   []string          `json:"files"`
	Nodes   []string          `json:"nodes"`
	FDs     []Descriptor      `json:"fds"`
	SameUID []string          `json:"same_uid"`
	// Log is the hypervisor's log.
	Log fileID `json:"log"`
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
	number := func(n int) string { s := strconv.Itoa(n); return s + " " + s + " " + s + " " + s }
	a.equal(GroupWorker, "worker-uid", number(want.UID), w.Status["Uid"])
	a.equal(GroupWorker, "worker-gid", number(want.GID), w.Status["Gid"])
	if a.waived(layer.OwnUID) {
		a.info(GroupWorker, "worker-company", "the caller's own uid, without root")
	} else {
		a.none(GroupWorker, "worker-company", "no other process has its uid", w.SameUID)
	}
	a.workerRights(w)
	a.workerPlace(w)
	var extra []string
	for _, d := range w.FDs {
		if !w.planned(d) {
			extra = append(extra, fmt.Sprintf("%d -> %s", d.Number, d.Target))
		}
	}
	if len(w.FDs) == 0 {
		a.add(GroupWorker, "worker-descriptors", Unknown, "only what it was handed", "cannot be read")
		return
	}
	a.none(GroupWorker, "worker-descriptors", "only what it was handed", extra)
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

// workerRights: no capability, filter on, nothing to gain, in each of its threads.
func (a *linuxAudit) workerRights(w *workerSeen) {
	const none = "0000000000000000"
	var odd []string
	for _, t := range w.Threads {
		for _, row := range []struct{ key, want string }{{"CapInh", none}, {"CapPrm", none}, {"CapEff", none}, {"CapBnd", none}, {"CapAmb", none},
			{"NoNewPrivs", "1"}, {"Seccomp", "2"}} {
			if t.Status[row.key] != row.want {
				odd = append(odd, fmt.Sprintf("thread %s has %s %s", t.Status["Pid"], row.key, orWords(t.Status[row.key], "that cannot be read")))
			}
		}
	}
	if groups := w.Status["Groups"]; groups != "" && !a.waived(layer.NoGroups) {
		odd = append(odd, "groups "+groups)
	}
	if len(w.Threads) == 0 {
		a.add(GroupWorker, "worker-rights", Unknown, "none", "cannot be read")
		return
	}
	a.none(GroupWorker, "worker-rights", "no capability, no new privileges, its system calls filtered", odd)
	if r := a.state.WorkerJail; r != nil {
		v := Recorded
		if !r.Sealed && !a.waived(layer.TwoPhases) {
			v = Missing
		}
		a.add(GroupWorker, "worker-calls", v, "no call but the policy's", fmt.Sprintf("%d calls, sealed: %s", r.RunCalls, yesNo(r.Sealed)))
	}
}

// workerPlace: an empty rootfs, and namespaces that are neither the host's nor the hypervisor's.
func (a *linuxAudit) workerPlace(w *workerSeen) {
	if _, applied := a.applied(layer.EmptyRootfs); applied && !a.waived(layer.EmptyRootfs) {
		var there []string
		there = append(append(there, w.Files...), w.Nodes...)
		if len(w.Mounts) != 1 {
			there = append(there, counted(len(w.Mounts), "mount"))
		}
		a.none(GroupWorker, "worker-rootfs", "no file, no device node, one mount", there)
	}
	var shared []string
	for _, n := range namespaces {
		if a.shares(n) {
			continue
		}
		switch ns := w.NS[n]; ns {
		case "":
			shared = append(shared, n+" (cannot be read)")
		case a.HostNS[n]:
			shared = append(shared, n+" (the host's)")
		case a.NS[n]:
			shared = append(shared, n+" (the hypervisor's)")
		}
	}
	slices.Sort(shared)
	a.none(GroupWorker, "worker-namespaces", "each of its own", shared)
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

// planned says whether a worker is handed such a descriptor, or makes it for itself: sockets and pipes to
// keeper, hypervisor and viewers, the hypervisor's log to write to, a picture while it is drawn.
func (w *workerSeen) planned(d Descriptor) bool {
	rest, anonymous := strings.CutPrefix(d.Target, "anon_inode:")
	switch {
	case anonymous:
		return rest == "[eventfd]" || rest == "[eventpoll]"
	case strings.HasPrefix(d.Target, "socket:"), strings.HasPrefix(d.Target, "/memfd:screenshot"):
		return true
	case strings.HasPrefix(d.Target, "pipe:"):
		return d.Flags&accessMode == 0
	case d.Target == devNull:
		return true
	}
	return fileID{d.Dev, d.Inode} == w.Log && d.Flags&accessMode == 1
}
