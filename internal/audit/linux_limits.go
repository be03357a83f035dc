package audit

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"skep/internal/layer"
	"skep/internal/plan"
)

// limit: what it may take from the host.
func (a *linuxAudit) limit() {
	if j := a.jailSpec(); j != nil {
		for _, l := range j.Rlimits {
			got, ok := a.Limits[l.Name]
			a.yes(GroupLimits, "rlimit-"+l.Name, limitText(l.Value), got == [2]uint64{l.Value, l.Value}, ok, orNot(!ok, limitsText(got)))
		}
		if a.record != nil {
			a.kept(j.Rlimits, a.record.Limits, a.Limits)
		}
	} else {
		core, ok := a.Limits["core"]
		a.yes(GroupLimits, "rlimit-core", "0", core[1] == 0, ok, orNot(!ok, limitText(core[1])))
	}
	a.groups()
	want := "500"
	if a.plan == nil {
		a.info(GroupLimits, "oom-score", a.OOM)
	} else {
		a.equal(GroupLimits, "oom-score", want, a.OOM)
	}
	a.recorded(GroupLimits, layer.CoreScheduling, "no stranger on the core's other thread")
}

// groups compares the control groups: where the process is, what limits they
// have, and who else is there.
func (a *linuxAudit) groups() {
	if a.plan == nil {
		for _, tree := range []string{"memory", "pids"} {
			path, ok := a.Cgroups[tree]
			if !ok {
				path = a.Cgroups["v2"]
			}
			v, seen := Seen, orWords(path, "none")
			if path == "" || path == "/" {
				v = Missing
			} else if inCgroup := a.InCgroup[tree]; len(inCgroup) > 0 {
				v, seen = Missing, path+", with "+counted(len(inCgroup), "other")+" in it"
			}
			a.add(GroupLimits, "cgroup-"+tree, v, "a group of its own", seen)
		}
		return
	}
	specs := plan.Specs[*plan.Cgroup](a.plan)
	a.otherGroups(specs)
	a.below(specs)
	if len(specs) == 0 {
		a.info(GroupLimits, "cgroups", "none: "+a.whyNot(layer.CgroupMemory))
	}
	for _, g := range specs {
		id := "cgroup-" + g.Tree
		path, ok := a.Cgroups[g.Tree]
		switch {
		case !ok:
			a.add(GroupLimits, id, Unknown, g.Path, "cannot be read")
		case !strings.HasSuffix(g.Path, path) || path == "/":
			a.add(GroupLimits, id, Missing, "in "+g.Path, "in "+path)
		case len(a.InCgroup[g.Tree]) > 0:
			a.add(GroupLimits, id, Extra, "nobody else in "+g.Path, summary(a.InCgroup[g.Tree]))
		case len(a.Groups[g.Path].Below) > 0:
			a.add(GroupLimits, id, Extra, "no group below "+g.Path, summary(a.Groups[g.Path].Below))
		default:
			a.add(GroupLimits, id, Seen, "alone in "+g.Path, "alone in "+g.Path)
		}
		for _, s := range g.Limits {
			got, read := a.Groups[g.Path].Files[s.File]
			switch {
			case slices.Contains(a.Groups[g.Path].Absent, s.File) && s.Optional():
				// this kernel has no such file
			case !read:
				a.add(GroupLimits, s.File, Unknown, s.Value, "cannot be read")
			default:
				a.equal(GroupLimits, s.File, a.rounded(s.File, s.Value), a.rounded(s.File, got))
			}
		}
	}
}

// below: the groups of a job bound a cell, and count it, that is below them.
func (a *linuxAudit) below(specs []*plan.Cgroup) {
	var want, wrong []string
	read := true
	for _, g := range specs {
		if g.Below == "" {
			continue
		}
		want = append(want, g.Below)
		path, ok := a.Cgroups[g.Tree]
		read = read && ok
		// The path in the tree is the end of the group's, of which Below is the beginning.
		if ok && (path == "/" || !strings.HasSuffix(g.Path, path) || !strings.HasPrefix(g.Path, g.Below+"/")) {
			wrong = append(wrong, path)
		}
	}
	switch {
	case len(want) == 0:
	case !read:
		a.add(GroupLimits, "cgroup-parent", Unknown, "below "+strings.Join(want, ", "), "cannot be read")
	case len(wrong) > 0:
		a.add(GroupLimits, "cgroup-parent", Missing, "below "+strings.Join(want, ", "), "in "+strings.Join(wrong, ", "))
	default:
		a.add(GroupLimits, "cgroup-parent", Seen, "below "+strings.Join(want, ", "), "below "+strings.Join(want, ", "))
	}
}

// otherGroups compares the groups of controllers that the cell does not use with
// those that it was born in.
func (a *linuxAudit) otherGroups(specs []*plan.Cgroup) {
	const want = "in the other trees as it was when the guest was prepared"
	if a.record == nil || len(a.record.Cgroups) == 0 {
		a.add(GroupLimits, "cgroups-other", Unknown, want, "nobody recorded it then")
		return
	}
	var moved []string
	for _, tree := range slices.Sorted(maps.Keys(a.record.Cgroups)) {
		if slices.ContainsFunc(specs, func(g *plan.Cgroup) bool { return g.Tree == tree }) {
			continue
		}
		if then, now := a.record.Cgroups[tree], a.Cgroups[tree]; now != then {
			moved = append(moved, fmt.Sprintf("%s: in %s and was in %s", tree, orWords(now, "none"), then))
		}
	}
	if len(moved) > 0 {
		a.add(GroupLimits, "cgroups-other", Missing, want, summary(moved))
	} else {
		a.add(GroupLimits, "cgroups-other", Seen, want, want)
	}
}

// rounded: the kernel keeps memory limits in whole pages.
func (a *linuxAudit) rounded(file, value string) string {
	if !strings.HasPrefix(file, "memory.") {
		return value
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return value
	}
	page := max(a.PageSize, 1)
	return strconv.FormatUint(n/page*page, 10)
}

func (a *linuxAudit) whyNot(id layer.ID) string {
	d, _ := a.applied(id)
	return orWords(d.Detail, "not recorded")
}

// memory: what can be read of it, or left of it.
func (a *linuxAudit) memory() {
	a.recorded(GroupMemory, layer.WXMDWE, "memory never becomes executable")
	a.recorded(GroupMemory, layer.KSMOff, "no page is merged with another's")
	a.recorded(GroupMemory, layer.NoCore, "no core dump")
}
