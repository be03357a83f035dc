package devfs

import "sort"

// Observed corrects a report by what a /dev was seen to list. The rules tell
// what the kernel does when it applies them; a mount may have been made before
// they were changed, or have had rules of its own applied, and the list is
// right.
func (r Report) Observed(listed []Node) Report {
	present, link := map[string]bool{}, map[string]bool{}
	for _, n := range listed {
		present[n.Path] = true
		// A link is a name and no device; what it leads to is listed itself, if that can be seen.
		link[n.Path] = n.Kind == Symlink
	}
	diff := Compare(Paths(listed), paths(r.Visible))
	visible := []Visible{}
	for _, v := range r.Visible {
		if present[v.Path] {
			visible = append(visible, v)
		}
	}
	dangerous := []Finding{}
	for _, f := range r.Dangerous {
		if present[f.Path] && !link[f.Path] {
			dangerous = append(dangerous, f)
		}
	}
	extra := map[string]bool{}
	for _, name := range diff.Extra {
		extra[name] = true
	}
	for _, n := range listed {
		if !extra[n.Path] {
			continue
		}
		v := Visible{Node: n, Against: true}
		visible = append(visible, v)
		if why, bad := Dangerous(n.Path); bad && n.Kind != Directory && !link[n.Path] && !r.own[n.Path] {
			dangerous = append(dangerous, Finding{v, why})
		}
	}
	sort.SliceStable(visible, func(i, j int) bool { return visible[i].Path < visible[j].Path })
	r.Visible, r.Dangerous = visible, worstFirst(dangerous)
	r.Hidden += len(diff.Missing) - len(diff.Extra)
	r.Differs = &diff
	return r
}

func paths(visible []Visible) []string {
	names := make([]string, len(visible))
	for i, v := range visible {
		names[i] = v.Path
	}
	return names
}
