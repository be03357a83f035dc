package audit

import (
	"fmt"
	"slices"
	"strconv"

	"skep/internal/layer"
)

// besideSeen is a process that works for a cell beside its hypervisor, in a jail of its own, as the kernel shows it.
type besideSeen struct {
	Status  map[string]string `json:"status"`
	NS      map[string]string `json:"ns"`
	Threads []linuxThread     `json:"threads"`
	Mounts  []linuxMount      `json:"mounts"`
	Files   []string          `json:"files"`
	Nodes   []string          `json:"nodes"`
	FDs     []Descriptor      `json:"fds"`
	SameUID []string          `json:"same_uid"`
}

// besideWant is what its jail shall be.
type besideWant struct {
	group, prefix string // of its rows
	uid, gid      int
	ownUID, empty bool // its jail has these layers
	// sealed and calls are what the launcher recorded; known says that it did.
	sealed, known bool
	calls         int
	filters       int // 0 where nobody knows
}

// beside: who works for the hypervisor has no rights either.
func (a *linuxAudit) beside(w *besideSeen, want besideWant) {
	number := func(n int) string { s := strconv.Itoa(n); return s + " " + s + " " + s + " " + s }
	a.equal(want.group, want.prefix+"-uid", number(want.uid), w.Status["Uid"])
	a.equal(want.group, want.prefix+"-gid", number(want.gid), w.Status["Gid"])
	if !want.ownUID {
		a.info(want.group, want.prefix+"-company", "the caller's own uid, without root")
	} else {
		a.none(want.group, want.prefix+"-company", "no other process has its uid", w.SameUID)
	}
	a.besideRights(w, want)
	a.besidePlace(w, want)
}

// besideRights: no capability, filter on, nothing to gain, in each of its threads.
func (a *linuxAudit) besideRights(w *besideSeen, want besideWant) {
	const none = "0000000000000000"
	var odd []string
	for _, t := range w.Threads {
		for _, row := range []struct{ key, want string }{{"CapInh", none}, {"CapPrm", none}, {"CapEff", none}, {"CapBnd", none}, {"CapAmb", none},
			{"NoNewPrivs", "1"}, {"Seccomp", "2"}} {
			if t.Status[row.key] != row.want {
				odd = append(odd, fmt.Sprintf("thread %s has %s %s", t.Status["Pid"], row.key, orWords(t.Status[row.key], "that cannot be read")))
			}
		}
		if n := t.Status["Seccomp_filters"]; want.filters > 0 && n != "" && n != strconv.Itoa(want.filters) { // Linux 5.9 and later say it
			odd = append(odd, fmt.Sprintf("thread %s has %s filters of %d", t.Status["Pid"], n, want.filters))
		}
	}
	if groups := w.Status["Groups"]; groups != "" && !a.waived(layer.NoGroups) {
		odd = append(odd, "groups "+groups)
	}
	if len(w.Threads) == 0 {
		a.add(want.group, want.prefix+"-rights", Unknown, "none", "cannot be read")
		return
	}
	a.none(want.group, want.prefix+"-rights", "no capability, no new privileges, its system calls filtered", odd)
	if want.known {
		v := Recorded
		if !want.sealed && !a.waived(layer.TwoPhases) {
			v = Missing
		}
		a.add(want.group, want.prefix+"-calls", v, "no call but the policy's", fmt.Sprintf("%d calls, sealed: %s", want.calls, yesNo(want.sealed)))
	}
}

// besidePlace: an empty rootfs, and namespaces that are neither the host's nor the hypervisor's.
func (a *linuxAudit) besidePlace(w *besideSeen, want besideWant) {
	if want.empty {
		var there []string
		there = append(append(there, w.Files...), w.Nodes...)
		if len(w.Mounts) != 1 {
			there = append(there, counted(len(w.Mounts), "mount"))
		}
		a.none(want.group, want.prefix+"-rootfs", "no file, no device node, one mount", there)
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
	a.none(want.group, want.prefix+"-namespaces", "each of its own", shared)
}

// besideHandles: what of its descriptors is neither planned nor made by its own runtime.
func (a *linuxAudit) besideHandles(w *besideSeen, group, prefix string, planned func(Descriptor) bool) {
	if len(w.FDs) == 0 {
		a.add(group, prefix+"-descriptors", Unknown, "only what it was handed", "cannot be read")
		return
	}
	var extra []string
	for _, d := range w.FDs {
		if !planned(d) {
			extra = append(extra, fmt.Sprintf("%d -> %s", d.Number, d.Target))
		}
	}
	a.none(group, prefix+"-descriptors", "only what it was handed", extra)
}
