package linuxjail

import (
	"maps"
	"path"
	"slices"
	"strings"

	"skep/internal/jail"
)

// relative is a path as the rootfs's root sees it.
func relative(p jail.RootfsPath) string { return strings.TrimPrefix(path.Clean(string(p)), "/") }

// directories are all parents of what is in the rootfs, parents first.
func (r Root) directories() []string {
	seen := map[string]bool{}
	for _, p := range r.paths() {
		for d := path.Dir(relative(p)); d != "." && !seen[d]; d = path.Dir(d) {
			seen[d] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func (r Root) paths() []jail.RootfsPath {
	var all []jail.RootfsPath
	for _, f := range r.Files {
		all = append(all, f.Inside)
	}
	for _, c := range r.Copies {
		all = append(all, c.Inside)
	}
	for _, n := range r.Nodes {
		all = append(all, n.Inside)
	}
	return all
}
