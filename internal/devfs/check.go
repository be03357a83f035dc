package devfs

import (
	"sort"
	"strings"
)

// Report is what a jail with a rule set really sees.
type Report struct {
	Number int    `json:"number"`
	Name   string `json:"name,omitempty"`
	Depth  int    `json:"depth"`
	// Empty: the set has no rules or does not exist, so it hides nothing.
	Empty      bool         `json:"empty,omitempty"`
	Dangerous  []Finding    `json:"dangerous"`
	Unfollowed []Unfollowed `json:"unfollowed"`
	Broad      []Broad      `json:"broad"`
	Unused     []Broad      `json:"unused,omitempty"`
	Visible    []Visible    `json:"visible"`
	Hidden     int          `json:"hidden"` // how many nodes the rules do hide
	// Differs is what a /dev lists beside what the rules say; nil where none
	// was looked at (see Observed).
	Differs *Difference `json:"differs,omitempty"`

	hideAll bool // a rule that runs hides everything first
	own     map[string]bool
}

// Finding is a visible node that a jail should not have.
type Finding struct {
	Visible
	Why string `json:"why"`
}

// Broad is a rule with its pattern: one that unhides by a glob, and so shows
// what other jails own and what is made later; or one that shows a node below
// a directory that stays hidden, and so shows nothing.
type Broad struct {
	Ref
	Rule  Rule     `json:"spec"`
	Shows []string `json:"shows,omitempty"`
}

// Check evaluates a set and sorts what comes out by how bad it is. Nodes in
// own are the jail's by right and never dangerous: its own virtual machine,
// tap, volume, console.
func Check(sets Rulesets, number, depth int, nodes []Node, own ...string) (Report, error) {
	report := Report{Number: number, Depth: depth, Empty: !sets.exists(number) || sets[number] == nil || len(sets[number].Rules) == 0}
	if set := sets[number]; set != nil {
		report.Name = set.Name
	}
	steps, beyond, err := sets.flatten(number, depth)
	if err != nil {
		return report, err
	}
	// JSON has empty lists, not null.
	report.Dangerous, report.Broad = []Finding{}, []Broad{}
	report.Unfollowed = append([]Unfollowed{}, beyond...)
	if report.Visible, err = sets.Evaluate(number, depth, nodes); err != nil {
		return report, err
	}
	all := withParents(nodes)
	report.Hidden = len(all) - len(report.Visible)

	report.own = map[string]bool{}
	seen := map[string]bool{}
	for _, o := range own {
		report.own[o] = true
	}
	for _, v := range report.Visible {
		seen[v.Path] = true
		if why, bad := Dangerous(v.Path); bad && !report.own[v.Path] && v.Kind != Directory {
			report.Dangerous = append(report.Dangerous, Finding{v, why})
		}
	}
	worstFirst(report.Dangerous)
	for _, st := range steps {
		report.judge(st, all, seen)
	}
	return report, nil
}

func worstFirst(findings []Finding) []Finding {
	sort.SliceStable(findings, func(i, j int) bool {
		a, _ := danger(findings[i].Path)
		b, _ := danger(findings[j].Path)
		return a < b
	})
	return findings
}

// judge looks for what a rule does beside what it was written for.
func (r *Report) judge(st step, all []Node, seen map[string]bool) {
	if st.rule.Hide && !st.rule.HasPath && st.rule.Types == 0 && len(st.guards) == 0 {
		r.hideAll = true
	}
	if !st.rule.Unhide || !st.rule.HasPath {
		return
	}
	var shows []string
	matched := 0
	for _, n := range all {
		if st.applies(n) {
			matched++
			if seen[n.Path] {
				shows = append(shows, n.Path)
			}
		}
	}
	b := Broad{st.ref, st.rule, shows}
	if matched > 0 && len(shows) == 0 {
		r.Unused = append(r.Unused, b)
	} else if isGlob(st.rule.Path) && broadPattern(st.rule.Path) {
		r.Broad = append(r.Broad, b)
	}
}

// broadPattern says whether a glob reaches what belongs to other cells.
func broadPattern(pattern string) bool {
	for _, prefix := range []string{"vmm", "nmdm", "tap", "tun", "vmnet", "zvol", "md", "da", "ada", "nda", "nvd", "vtbd", "*", "?", "["} {
		if strings.HasPrefix(pattern, prefix) {
			return true
		}
	}
	return false
}
