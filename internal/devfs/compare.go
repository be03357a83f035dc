package devfs

import "sort"

// Difference is how a /dev differs from the plan. An extra node is a way out,
// a missing one a cell that will not run: either stops the start.
type Difference struct {
	Missing []string `json:"missing,omitempty"`
	Extra   []string `json:"extra,omitempty"`
}

// Same says that there is none.
func (d Difference) Same() bool { return len(d.Missing) == 0 && len(d.Extra) == 0 }

// Compare sets what a /dev lists against the planned paths (see Planned).
func Compare(listed, planned []string) Difference {
	return Difference{Missing: without(planned, listed), Extra: without(listed, planned)}
}

// without lists what is in a and not in b, sorted and each once.
func without(a, b []string) []string {
	in := make(map[string]bool, len(a)+len(b))
	for _, s := range b {
		in[s] = true
	}
	var rest []string
	for _, s := range a {
		if !in[s] {
			in[s] = true
			rest = append(rest, s)
		}
	}
	sort.Strings(rest)
	return rest
}

// Paths are the names of nodes.
func Paths(nodes []Node) []string {
	paths := make([]string, len(nodes))
	for i, n := range nodes {
		paths[i] = n.Path
	}
	return paths
}
