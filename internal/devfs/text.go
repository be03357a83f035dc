package devfs

import (
	"fmt"
	"io"
	"strings"
)

// WriteText prints the report for a person, the worst first.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	title := fmt.Sprintf("rule set %d", r.Number)
	if r.Name != "" {
		title += " (" + r.Name + ")"
	}
	fmt.Fprintf(&b, "%s, include depth %d: %d nodes visible, %d dangerous, %d hidden\n",
		title, r.Depth, len(r.Visible), len(r.Dangerous), r.Hidden)
	if r.Empty {
		fmt.Fprintf(&b, "warning: the set has no rules, so it hides nothing\n")
	} else if !r.hideAll {
		fmt.Fprintf(&b, "warning: no rule that runs hides everything first: each node is visible unless a rule names it\n")
	}
	for _, u := range r.Unfollowed {
		fmt.Fprintf(&b, "warning: the kernel does not follow \"include %d\" in %s: it is reached through %s, and %s is %d\n",
			u.Include, u.Ref, through(u.Via), DepthSetting, r.Depth)
	}
	for _, g := range r.Broad {
		fmt.Fprintf(&b, "warning: %s unhides %q, every node of that name, other jails' and later ones too (now: %s)\n",
			g.Ref, g.Rule.Path, list(g.Shows))
	}
	for _, g := range r.Unused {
		fmt.Fprintf(&b, "warning: %s unhides %q in vain: a directory above stays hidden, or a later rule hides it again\n", g.Ref, g.Rule.Path)
	}
	if r.Differs != nil && len(r.Differs.Extra) > 0 {
		fmt.Fprintf(&b, "warning: the rules hide these, and they are there: %s; the mount is older than the rules, or had others applied\n", list(r.Differs.Extra))
	}
	if r.Differs != nil && len(r.Differs.Missing) > 0 {
		fmt.Fprintf(&b, "note: the rules show these, and they are not there: %s\n", list(r.Differs.Missing))
	}
	for _, f := range r.Dangerous {
		fmt.Fprintf(&b, "danger: %-16s %s (%s)\n", f.Path, f.Why, f.shownBy())
	}
	for _, v := range r.Visible {
		if !r.isDangerous(v.Path) {
			fmt.Fprintf(&b, "shown:  %-16s %s\n", v.Path, v.shownBy())
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) isDangerous(path string) bool {
	for _, f := range r.Dangerous {
		if f.Path == path {
			return true
		}
	}
	return false
}

func (v Visible) shownBy() string {
	if v.Against {
		return "there, against the rules"
	}
	if v.Shown == nil {
		return "no rule hides it"
	}
	return "unhidden by " + v.Shown.String()
}

func through(via []Ref) string {
	if len(via) == 0 {
		return "no other set"
	}
	names := make([]string, len(via))
	for i, r := range via {
		names[i] = r.String()
	}
	return strings.Join(names, ", then ")
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}
