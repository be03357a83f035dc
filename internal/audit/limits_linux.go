package audit

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"skep/internal/layer"
	"skep/internal/plan"
)

// limit: what it may take from the host.
func (a *linuxAudit) limit() {
	if j := a.jailSpec(); j != nil {
		for _, l := range j.Rlimits {
			got, ok := a.limits[l.Name]
			a.yes(GroupLimits, "rlimit-"+l.Name, limitText(l.Value), got == [2]uint64{l.Value, l.Value}, ok, orNot(!ok, limitsText(got)))
		}
		if a.record != nil {
			a.kept(j.Rlimits, a.record.Limits, a.limits)
		}
	} else {
		core, ok := a.limits["core"]
		a.yes(GroupLimits, "rlimit-core", "0", core[1] == 0, ok, orNot(!ok, limitText(core[1])))
	}
	a.groups()
	want := "500"
	if a.plan == nil {
		a.info(GroupLimits, "oom-score", a.oom)
	} else {
		a.equal(GroupLimits, "oom-score", want, a.oom)
	}
	a.recorded(GroupLimits, layer.CoreScheduling, "no stranger on the core's other thread")
}

// groups compares the control groups: where the process is, what limits they
// have, and who else is there.
func (a *linuxAudit) groups() {
	if a.plan == nil {
		for _, tree := range []string{"memory", "pids"} {
			path, ok := a.cgroups[tree]
			if !ok {
				path = a.cgroups["v2"]
			}
			v, seen := Seen, orWords(path, "none")
			if path == "" || path == "/" {
				v = Missing
			} else if inCgroup := a.inCgroup[tree]; len(inCgroup) > 0 {
				v, seen = Missing, path+", with "+counted(len(inCgroup), "other")+" in it"
			}
			a.add(GroupLimits, "cgroup-"+tree, v, "a group of its own", seen)
		}
		return
	}
	specs := plan.Specs[*plan.Cgroup](a.plan)
	a.otherGroups(specs)
	if len(specs) == 0 {
		a.info(GroupLimits, "cgroups", "none: "+a.whyNot(layer.CgroupMemory))
	}
	for _, g := range specs {
		id := "cgroup-" + g.Tree
		path, ok := a.cgroups[g.Tree]
		switch {
		case !ok:
			a.add(GroupLimits, id, Unknown, g.Path, "cannot be read")
		case !strings.HasSuffix(g.Path, path) || path == "/":
			a.add(GroupLimits, id, Missing, "in "+g.Path, "in "+path)
		case len(a.inCgroup[g.Tree]) > 0:
			a.add(GroupLimits, id, Extra, "nobody else in "+g.Path, summary(a.inCgroup[g.Tree]))
		case len(groupsBelow(g.Path)) > 0:
			a.add(GroupLimits, id, Extra, "no group below "+g.Path, summary(groupsBelow(g.Path)))
		default:
			a.add(GroupLimits, id, Seen, "alone in "+g.Path, "alone in "+g.Path)
		}
		for _, s := range g.Limits {
			b, err := os.ReadFile(filepath.Join(g.Path, s.File))
			got := strings.TrimSpace(string(b))
			if err != nil {
				if os.IsNotExist(err) && s.Optional() {
					continue // this kernel has no such file
				}
				a.add(GroupLimits, s.File, Unknown, s.Value, "cannot be read")
				continue
			}
			a.equal(GroupLimits, s.File, rounded(s.File, s.Value), rounded(s.File, got))
		}
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
		if then, now := a.record.Cgroups[tree], a.cgroups[tree]; now != then {
			moved = append(moved, fmt.Sprintf("%s: in %s and was in %s", tree, orWords(now, "none"), then))
		}
	}
	if len(moved) > 0 {
		a.add(GroupLimits, "cgroups-other", Missing, want, summary(moved))
	} else {
		a.add(GroupLimits, "cgroups-other", Seen, want, want)
	}
}

// groupsBelow are the control groups in one: nobody makes any there.
func groupsBelow(path string) []string {
	entries, _ := os.ReadDir(path)
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// rounded: the kernel keeps memory limits in whole pages.
func rounded(file, value string) string {
	if !strings.HasPrefix(file, "memory.") {
		return value
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return value
	}
	page := uint64(os.Getpagesize())
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

// identity is the device and inode of a file.
func identity(info fs.FileInfo) (dev, ino uint64, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return uint64(st.Dev), st.Ino, true
}
