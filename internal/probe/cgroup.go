package probe

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"skep/internal/host"
)

// baseName is the directory, below a tree's top or the caller's delegated
// part of it, under which cells get theirs.
const baseName = "skep"

// dirView is what can be asked about a cgroup directory. On a host it asks the
// kernel; in tests it is a table.
type dirView interface {
	// mayCreate tries to make a directory in dir and removes it again. The
	// error is the bare cause.
	mayCreate(dir string) error
	// mayWrite says whether a file may be opened for writing.
	mayWrite(file string) bool
	// read returns a file's content, "" when it is not there.
	read(file string) string
}

// ownName is where a process goes that is in the way below its own group.
const ownName = "skep-own"

// cgroups settles where cells get their limits: below the group that is named, or else where this user may.
func cgroups(t trees, euid int, named string, v dirView) host.Cgroup {
	out := host.Cgroup{Mode: t.mode(), V1: map[string]string{}, Parent: named}
	moved := false
	chosen := func(tr tree, otherwise string) string {
		dir := tr.self
		if path.Base(dir) == ownName {
			dir, moved = path.Dir(dir), true // by another cell of the same job
		}
		switch {
		case named == "" || named != host.CgroupAuto && !v.mayWrite(path.Join(tr.top, named, "cgroup.procs")):
			return otherwise
		case named != host.CgroupAuto:
			dir = path.Join(tr.top, named)
		}
		if dir != "" && dir != tr.top {
			out.Below = append(out.Below, dir)
		}
		return dir
	}
	var why []string
	closed := map[string][]string{} // cause -> directories, told together
	if out.Mode == host.CgroupNone {
		why = append(why, t.whyNone())
		if len(t.readOnly) > 0 {
			out.ReadOnly = t.readOnly[0]
		}
	}
	var v2 []string
	if t.v2 != nil {
		parent := t.v2.top
		if euid != 0 {
			parent = delegated(*t.v2, v)
		}
		parent = chosen(*t.v2, parent)
		switch {
		case parent == "":
			why = append(why, "this session is not in a cgroup of its own that it may divide")
		default:
			if err := v.mayCreate(parent); err != nil {
				closed[err.Error()] = append(closed[err.Error()], parent)
				break
			}
			out.V2 = path.Join(parent, baseName)
			v2 = divisible(parent, v)
			if named == host.CgroupAuto && (moved || len(v2) < len(host.Controllers)) {
				// Who is in the way is this process, and what was started with it.
				out.Own = path.Join(parent, ownName)
				v2 = append(v2, strings.Fields(v.read(path.Join(parent, "cgroup.controllers")))...)
			}
		}
	}
	for _, c := range host.Controllers {
		tr, ok := t.v1[c]
		if !ok {
			continue
		}
		parent := tr.top
		if euid != 0 {
			parent = tr.self
		}
		if parent = chosen(tr, parent); parent == "" {
			continue
		}
		if err := v.mayCreate(parent); err != nil {
			closed[err.Error()] = append(closed[err.Error()], parent)
			continue
		}
		out.V1[c] = path.Join(parent, baseName)
	}
	for _, c := range host.Controllers {
		switch {
		case out.V1[c] != "" || slices.Contains(v2, c):
			out.Controllers = append(out.Controllers, c)
		case out.V2 != "":
			why = append(why, "the "+c+" controller cannot be handed down in "+path.Dir(out.V2))
		}
	}
	for _, cause := range slices.Sorted(maps.Keys(closed)) {
		why = append(why, "no directory can be made in "+strings.Join(closed[cause], ", ")+": "+cause)
	}
	if len(out.V1) == 0 {
		out.V1 = nil
		if out.V2 == "" {
			out.Mode, out.Closed = host.CgroupNone, len(closed) > 0
		}
	}
	if named != "" {
		out.Limit = memoryLimit(out, t, v)
	}
	if out.Own != "" && !slices.ContainsFunc(host.Controllers, func(c string) bool { return out.V1[c] == "" && slices.Contains(v2, c) }) {
		out.Own = "" // all that limits a cell is on v1, where processes are in nobody's way
	}
	if len(out.Controllers) < len(host.Controllers) {
		out.Why = strings.Join(why, "; ")
	}
	return out
}

// memoryLimit is what the group of the cells leaves of memory.
func memoryLimit(g host.Cgroup, t trees, v dirView) int64 {
	if dir := g.V1["memory"]; dir != "" {
		for line := range strings.Lines(v.read(path.Join(path.Dir(dir), "memory.stat"))) {
			if text, ok := strings.CutPrefix(line, "hierarchical_memory_limit "); ok {
				return bounded(text)
			}
		}
		return 0
	}
	var least int64
	for dir := path.Dir(g.V2); g.V2 != "" && t.v2 != nil && len(dir) > len(t.v2.top); dir = path.Dir(dir) {
		if n := bounded(v.read(path.Join(dir, "memory.max"))); n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// bounded reads a limit of memory; 0 is none. What is no limit is a number of pages near the largest there is.
func bounded(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n >= 1<<60 {
		return 0
	}
	return n
}

// delegated is the highest directory between the caller's own cgroup and the
// top of the tree that was handed over to the caller, as systemd hands
// user@UID.service over. A process may be moved only below a directory whose
// cgroup.procs its mover may write to.
func delegated(t tree, v dirView) string {
	best := ""
	for d := t.self; d != "" && d != t.top && d != "/" && d != "."; d = path.Dir(d) {
		if !v.mayWrite(path.Join(d, "cgroup.procs")) {
			break
		}
		best = d
	}
	return best
}

// divisible are the Controllers that a child of parent can be limited with:
// those already handed down, and those that can be, which a directory with
// processes of its own cannot unless it is the real root of the tree.
func divisible(parent string, v dirView) []string {
	have := strings.Fields(v.read(path.Join(parent, "cgroup.subtree_control")))
	root := v.read(path.Join(parent, "cgroup.type")) == ""
	empty := strings.TrimSpace(v.read(path.Join(parent, "cgroup.procs"))) == ""
	if (root || empty) && v.mayWrite(path.Join(parent, "cgroup.subtree_control")) {
		have = append(have, strings.Fields(v.read(path.Join(parent, "cgroup.controllers")))...)
	}
	return have
}
