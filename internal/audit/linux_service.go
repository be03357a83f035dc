package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"skep/internal/plan"
	"skep/internal/store"
)

// serviceSeen is the network in user space or the capture of a card, as the kernel shows it.
type serviceSeen struct {
	besideSeen
	Start uint64 `json:"start"`
	// Own are the files of its plan, by what they are there for; Sockets are names as of a hypervisor's.
	Own     map[string]fileID `json:"own"`
	Sockets map[uint64]string `json:"sockets"`
}

// services: what a guest's frames go to, and its TPM, have no rights. A guest that takes one over has won as little as in its
// hypervisor.
func (a *linuxAudit) services() {
	if a.plan == nil || a.state == nil {
		return
	}
	for _, r := range a.plan.Resources {
		switch r.Spec.(type) {
		case *plan.Network, *plan.Capture, *plan.TPM:
			a.service(r)
		}
	}
}

// serviceRows is what the rows of such a process begin with, before the label of its card.
var serviceRows = map[plan.Kind]string{plan.KindNetwork: "network-", plan.KindCapture: "capture-", plan.KindTPM: "tpm"}

func (a *linuxAudit) service(r plan.Resource) {
	_, label, _ := strings.Cut(r.ID, ":")
	prefix := serviceRows[r.Spec.Kind()] + label
	at := slices.IndexFunc(a.state.Services, func(s store.Service) bool { return s.ID == r.ID })
	if at < 0 {
		a.add(GroupServices, prefix+"-uid", Missing, "a live process", "its keeper names none")
		return
	}
	want, seen := a.state.Services[at], a.Services[r.ID]
	if seen == nil || want.Start != 0 && seen.Start != want.Start {
		a.add(GroupServices, prefix+"-uid", Missing, "a live process", fmt.Sprintf("process %d has ended", want.PID))
		return
	}
	a.beside(&seen.besideSeen, besideWant{group: GroupServices, prefix: prefix, uid: want.UID, gid: want.GID, ownUID: want.OwnUID,
		empty: want.EmptyRootfs, known: true, sealed: want.Sealed, calls: want.Calls, filters: want.Filters})
	var who *besideSeen
	if a.Worker != nil {
		who = &a.Worker.besideSeen
	}
	a.apart(prefix, &seen.besideSeen, who)
	mode := ""
	if n, ok := r.Spec.(*plan.Network); ok {
		mode = n.Mode
	}
	if _, tpm := r.Spec.(*plan.TPM); tpm {
		a.besideHandles(&seen.besideSeen, GroupServices, prefix, func(d Descriptor) bool { return a.plannedOfTPM(seen, d) })
		return
	}
	_, capture := r.Spec.(*plan.Capture)
	a.besideHandles(&seen.besideSeen, GroupServices, prefix, func(d Descriptor) bool { return seen.planned(d, mode, capture) })
}

// apart: it is in no namespace of the worker's.
func (a *linuxAudit) apart(prefix string, s, worker *besideSeen) {
	if worker == nil {
		return
	}
	var shared []string
	for _, n := range namespaces {
		if ns := s.NS[n]; ns != "" && ns == worker.NS[n] && !a.shares(n) {
			shared = append(shared, n)
		}
	}
	slices.Sort(shared)
	a.none(GroupServices, prefix+"-worker", "no namespace of the worker's", shared)
}

// planned says whether a service is handed such a descriptor, or its runtime makes it: its connection to the keeper
// and to the card, its record, files that it answers with. A network that leads somewhere has connected sockets of
// the host's, a capture one packet socket.
func (s *serviceSeen) planned(d Descriptor, mode string, capture bool) bool {
	rest, anonymous := strings.CutPrefix(d.Target, "anon_inode:")
	switch {
	case anonymous:
		return rest == "[eventfd]" || rest == "[eventpoll]"
	case d.Target == devNull:
		return true
	case strings.HasPrefix(d.Target, "pipe:"):
		return d.Number <= 2
	case strings.HasPrefix(d.Target, "socket:"):
		return s.plannedSocket(s.Sockets[d.Inode], mode, capture)
	}
	switch id := (fileID{d.Dev, d.Inode}); {
	case s.holds(ownRecord, id):
		return true
	case s.holds(ownAnswer, id):
		return d.Flags&accessMode == 0
	}
	return false
}

// plannedOfTPM is planned for a TPM: its two connections to the hypervisor, of which only the tables of the hypervisor's
// network have the second, one pipe to itself, what it remembers, and the hypervisor's log to write to.
func (a *linuxAudit) plannedOfTPM(s *serviceSeen, d Descriptor) bool {
	switch {
	case d.Target == devNull:
		return true
	case strings.HasPrefix(d.Target, "pipe:"):
		first := slices.IndexFunc(s.FDs, func(o Descriptor) bool { return strings.HasPrefix(o.Target, "pipe:") })
		return s.FDs[first].Target == d.Target
	case strings.HasPrefix(d.Target, "socket:"):
		if cmp.Or(s.Sockets[d.Inode], a.Sockets[d.Inode]) != nameless {
			return false
		}
		if other, known := a.Peers[d.Inode]; known && !holdsSocket(a.FDs, other) {
			return false
		}
		before := 0
		for _, o := range s.FDs[:slices.IndexFunc(s.FDs, func(o Descriptor) bool { return o.Number == d.Number })] {
			if strings.HasPrefix(o.Target, "socket:") {
				before++
			}
		}
		return before < 2
	}
	id := fileID{d.Dev, d.Inode}
	return s.holds(ownRecord, id) || d.Number == 2 && s.holds(ownLog, id) && d.Flags&accessMode == 1
}

func (s *serviceSeen) holds(what string, id fileID) bool {
	for path, own := range s.Own {
		if own == id && strings.HasPrefix(path, what) {
			return true
		}
	}
	return false
}

// plannedSocket judges a socket by its name; one that no table of the host's has was handed over by nobody of ours.
func (s *serviceSeen) plannedSocket(name, mode string, capture bool) bool {
	kind, _, _ := strings.Cut(name, " ")
	switch kind {
	case "tcp", "udp":
		return mode == "user"
	case "packet":
		return capture
	case "tcp6", "udp6", "raw", "raw6", "netlink", "":
		return false
	}
	return true // a UNIX socket
}
