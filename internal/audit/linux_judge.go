package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"skep/internal/jail"
	"skep/internal/layer"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/store"
)

// linuxAudit compares one observation with what is promised. Without a plan
// the promises are those that every cell makes.
type linuxAudit struct {
	judge
	*linuxSeen
	state  *store.State
	plan   *plan.Plan
	record *jail.Record
}

// judgeLinux judges what was seen of a cell's process.
func judgeLinux(seen *linuxSeen, st store.State) Report {
	a := &linuxAudit{linuxSeen: seen, state: &st, plan: st.Plan, record: st.Jail}
	return a.rows().report(st.Name, st.PID).relaxed(st.Relaxations)
}

// judgeAnyLinux judges a process that nobody planned.
func judgeAnyLinux(seen *linuxSeen) Report {
	a := &linuxAudit{linuxSeen: seen}
	return a.rows().report("", seen.PID)
}

func (a *linuxAudit) rows() *judge {
	a.eight()
	a.identity()
	a.rights()
	a.process()
	a.rootfs()
	a.code()
	a.handles()
	if a.plan != nil {
		a.nics(plan.Specs[*plan.Tap](a.plan), a.links(), a.link)
	}
	a.limit()
	a.memory()
	a.ofProgram(a.Exe)
	a.worker()
	a.services()
	return &a.judge
}

// links are the host's ends of its cards as they were.
func (a *linuxAudit) links() map[string]network.Link {
	if a.record == nil {
		return nil
	}
	return a.record.Links
}

// applied says whether the launcher has applied a layer. Without a record
// nothing is known to be.
func (a *linuxAudit) applied(id layer.ID) (layer.Decision, bool) {
	if a.record == nil {
		return layer.Decision{}, false
	}
	for _, d := range a.record.Layers {
		if d.ID == id {
			return d, true
		}
	}
	return layer.Decision{}, false
}

// recorded is a row for what only the launcher could read.
func (a *linuxAudit) recorded(group string, id layer.ID, want string) {
	d, ok := a.applied(id)
	switch {
	case !ok:
		a.add(group, string(id), Unknown, want, "cannot be read from outside, and no launcher of ours recorded it")
	case d.Verdict == layer.Applied:
		a.add(group, string(id), Recorded, want, orWords(d.Detail, want))
	case d.Verdict == layer.Substituted:
		a.add(group, string(id), Recorded, want, "by "+string(d.By)+" in its place")
	case d.Verdict == layer.NothingToApply:
		a.add(group, string(id), Recorded, want, "nothing to apply: "+orWords(d.Detail, "not on this kernel"))
	default:
		a.add(group, string(id), Recorded, want, string(d.Verdict)+": "+d.Detail)
	}
}

// waived says whether the host or the cell file let a layer be absent.
func (a *linuxAudit) waived(id layer.ID) bool {
	d, ok := a.applied(id)
	return ok && (d.Verdict == layer.Missing || d.Verdict == layer.NotPrivileged || d.Verdict == layer.NothingToApply)
}

// identity: who the hypervisor is, and that nobody else is.
func (a *linuxAudit) identity() {
	four := func(n int) string { s := strconv.Itoa(n); return s + " " + s + " " + s + " " + s }
	own := !a.waived(layer.OwnUID)
	if j := a.jailSpec(); j != nil {
		a.equal(GroupIdentity, "uid", four(j.UID), a.Status["Uid"])
		a.equal(GroupIdentity, "gid", four(j.GID), a.Status["Gid"])
		one := fmt.Sprintf("%d %d 1", j.UID, j.UID)
		a.equal(GroupIdentity, "uid-map", one, a.UIDMap)
		a.equal(GroupIdentity, "gid-map", fmt.Sprintf("%d %d 1", j.GID, j.GID), a.GIDMap)
	} else {
		v := Seen
		if strings.HasPrefix(a.Status["Uid"], "0 ") || a.Status["Uid"] == "" {
			v = Missing
		}
		a.add(GroupIdentity, "uid", v, "not root", orWords(a.Status["Uid"], "cannot be read"))
	}
	if own {
		a.alone(a.SameUID)
		a.none(GroupIdentity, "gid-company", "no other process has its gid", a.SameGID)
	} else {
		a.info(GroupIdentity, "uid-company", "the caller's own uid, without root")
	}
	if a.waived(layer.NoGroups) {
		a.info(GroupIdentity, "groups", orWords(a.Status["Groups"], "none")+" (cannot be dropped without root)")
	} else if _, read := a.Status["Groups"]; !read {
		a.add(GroupIdentity, "groups", Unknown, "no supplementary groups", "cannot be read")
	} else {
		a.ungrouped(strings.Fields(a.Status["Groups"]))
	}
}

func (a *linuxAudit) jailSpec() *plan.Jail {
	if a.plan == nil {
		return nil
	}
	for _, j := range plan.Specs[*plan.Jail](a.plan) {
		return j
	}
	return nil
}

// rights: what the kernel would let it do.
func (a *linuxAudit) rights() {
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		a.equal(GroupRights, strings.ToLower(set[:3])+"-"+strings.ToLower(set[3:]), "0000000000000000", a.Status[set])
	}
	a.equal(GroupRights, "no-new-privs", "1", a.Status["NoNewPrivs"])
	a.equal(GroupRights, "seccomp", "2", a.Status["Seccomp"])
	if a.record != nil {
		a.equal(GroupRights, "seccomp-filters", strconv.Itoa(a.record.FilterCount()), a.Status["Seccomp_filters"])
		var ids []string
		for _, f := range a.record.Filters {
			ids = append(ids, fmt.Sprintf("%s %.12s… (%d instructions)", f.Name, f.SHA256, f.Instructions))
		}
		a.add(GroupRights, "filter-identity", Recorded, "the filters that the plan's table compiles to", strings.Join(ids, ", "))
		sealed := Recorded
		if !a.record.Sealed && !a.waived(layer.TwoPhases) {
			sealed = Missing
		}
		a.add(GroupRights, "two-phases", sealed, "the start is over: no call but the policy's", fmt.Sprintf("%d calls for the guest's life, sealed: %s", a.record.RunCalls, yesNo(a.record.Sealed)))
	}
	a.refused()
	var odd []string
	var traced []string
	for i, t := range a.Threads {
		who := "thread " + orWords(t.Status["Pid"], strconv.Itoa(i))
		for _, f := range []string{"Seccomp", "NoNewPrivs", "CapEff", "CapPrm", "Uid", "Gid"} {
			if t.Status[f] != a.Status[f] && len(t.Status) > 0 {
				odd = append(odd, who+" ("+f+")")
			}
		}
		for n, ns := range t.NS {
			if ns != a.NS[n] {
				odd = append(odd, who+" (another "+n+" namespace)")
			}
		}
		for tree, path := range t.Cgroups {
			if path != a.Cgroups[tree] {
				odd = append(odd, who+" (another control group: "+tree+")")
			}
		}
		if by := t.Status["TracerPid"]; by != "" && by != "0" {
			traced = append(traced, who+" by process "+by)
		}
	}
	slices.Sort(odd)
	a.none(GroupRights, "threads", "every thread has the same rights, in the same place", odd)
	if len(a.Threads) == 0 {
		a.add(GroupRights, "tracers", Unknown, "nobody traces it", "cannot be read")
	} else {
		a.untraced(traced)
	}
	a.recorded(GroupRights, layer.Landlock, "files, devices, TCP, signals and abstract sockets refused once more")
	a.recorded(GroupRights, layer.OneExec, "no exec after the hypervisor's own")
	a.recorded(GroupRights, layer.Keyring, "a session keyring of its own")
}

// refused says which calls it asked for and did not get. That it did not is as planned; that it asked is
// for a person to look at, unless any hypervisor does.
func (a *linuxAudit) refused() {
	if a.state == nil || a.state.Refused == nil {
		return
	}
	if usual := jail.Names(a.state.Refused.Expected); len(usual) > 0 {
		a.add(GroupRights, "expected-refusals", Recorded, "calls that a hypervisor asks for and does without", strings.Join(usual, ", "))
	}
	seen := jail.Names(a.state.Refused.Unexpected())
	if why := a.state.Refused.Uncounted; why != "" {
		seen = append(seen, why)
	}
	if len(seen) > 0 {
		a.add(GroupRights, "refused-calls", Recorded, "no call that the policy lacks", strings.Join(seen, ", "))
	}
}
