package probe

import (
	"path"
	"slices"
	"strings"

	"skep/internal/host"
)

// tree is one cgroup hierarchy that is mounted.
type tree struct {
	top  string // its mount point
	self string // the caller's own directory in it; "" when outside of what is mounted
}

// trees are the hierarchies of a host.
type trees struct {
	v2 *tree
	v1 map[string]tree // by controller, only those that we use
	// readOnly are the mount points that nobody may write to.
	readOnly []string
}

func (t trees) mode() host.CgroupMode {
	switch {
	case t.v2 != nil && len(t.v1) > 0:
		return host.CgroupHybrid
	case t.v2 != nil:
		return host.CgroupV2
	case len(t.v1) > 0:
		return host.CgroupV1
	}
	return host.CgroupNone
}

// findTrees puts /proc/self/mountinfo and /proc/self/cgroup together.
func findTrees(mountinfo, selfCgroup string) trees {
	own := map[string]string{} // controller, or "" for v2 -> path
	for line := range strings.Lines(selfCgroup) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for _, c := range strings.Split(f[1], ",") {
			own[c] = f[2]
		}
	}
	t := trees{v1: map[string]tree{}}
	for _, m := range parseMountinfo(mountinfo) {
		if m.readOnly {
			if m.fstype == "cgroup2" || m.fstype == "cgroup" {
				t.readOnly = append(t.readOnly, m.point)
			}
			continue
		}
		switch m.fstype {
		case "cgroup2":
			// The first one counts: a second is a bind mount of the same tree.
			if t.v2 == nil {
				t.v2 = &tree{m.point, below(m, own[""])}
			}
		case "cgroup":
			for _, c := range host.Controllers {
				if _, have := t.v1[c]; !have && slices.Contains(m.super, c) {
					t.v1[c] = tree{m.point, below(m, own[c])}
				}
			}
		}
	}
	return t
}

// whyNone says why there is no tree.
func (t trees) whyNone() string {
	const none = "no cgroup file system is mounted for writing"
	if len(t.readOnly) == 0 {
		return none
	}
	return none + ": " + t.readOnly[0] + " is read-only"
}

// below is the directory of a cgroup path under its mount, which may show only
// a part of the tree.
func below(m mount, p string) string {
	if p == "" || strings.HasPrefix(p, "/..") {
		return ""
	}
	if m.root == "/" {
		return path.Join(m.point, p)
	}
	if rest, ok := strings.CutPrefix(p, m.root); ok && (rest == "" || rest[0] == '/') {
		return path.Join(m.point, rest)
	}
	return ""
}
