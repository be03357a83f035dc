package audit

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"skep/internal/devfs"
	"skep/internal/plan"
)

// devices: the rootfs's /dev as it is listed, what of it is dangerous, and the
// rules that would apply to a node that is made now.
func (a *bsdAudit) devices() {
	switch {
	case a.Proc.JID == 0:
		a.add(GroupPlace, "nodes", Missing, "0", "all of the host's")
		return
	case !a.Rootfs.NodesRead:
		a.add(GroupPlace, "nodes", Unknown, "0", "cannot be read")
		return
	}
	nodes := devices(a.Rootfs.Nodes)
	own := a.own()
	if a.want != nil {
		a.count("nodes", 0, nodes)
	} else {
		var strange []string
		for _, n := range nodes {
			if !own[n] {
				strange = append(strange, n)
			}
		}
		a.none(GroupPlace, "nodes", "no node but those that it holds", strange)
	}
	var bad []string
	for _, n := range devfs.Worst(withoutLinks(a.Rootfs.Nodes)) {
		if a.want != nil || !own[n] {
			why, _ := devfs.Dangerous(n)
			bad = append(bad, n+" "+why)
		}
	}
	a.none(GroupPlace, "dangerous-nodes", "no node that leads out of the jail", bad)
	if a.want != nil {
		a.ruleset()
		return
	}
	a.anyRuleset()
}

// withoutLinks are the nodes by which something is reached: a link is a name, and what it leads to is
// listed itself, if it can be seen.
func withoutLinks(nodes []devfs.Node) []string {
	var all []string
	for _, n := range nodes {
		if n.Kind != devfs.Directory && n.Kind != devfs.Symlink {
			all = append(all, n.Path)
		}
	}
	return all
}

// own are the nodes of the virtual machine that the process runs: those that
// it holds, and those of the machine's name.
func (a *bsdAudit) own() map[string]bool {
	own := map[string]bool{}
	for _, f := range a.descriptors() {
		name := a.Devices[f.FD]
		if name == "" {
			continue
		}
		own[name] = true
		vm, ok := strings.CutPrefix(name, "vmm/")
		if !ok {
			continue
		}
		for _, n := range a.Rootfs.Nodes {
			if strings.HasPrefix(n.Path, "vmm.io/"+vm+".") {
				own[n.Path] = true
			}
		}
	}
	return own
}

// ruleset: the rules are the plan's, number by number. They are the ones that
// a reset applies again.
func (a *bsdAudit) ruleset() {
	s := a.want.set
	rules, err := s.Rules()
	want := fmt.Sprintf("set %d: all hidden, %d nodes by their exact names, nothing included", s.Number, len(s.Nodes))
	switch {
	case err != nil:
		a.add(GroupPlace, "ruleset", Unknown, want, err.Error())
	case a.Rootfs.Report == nil:
		a.add(GroupPlace, "ruleset", Unknown, want, orWords(a.Rootfs.Unread, "cannot be read"))
	case a.Rootfs.Ruleset != s.Number:
		a.add(GroupPlace, "ruleset", Missing, want, fmt.Sprintf("its jail names set %d", a.Rootfs.Ruleset))
	case reflect.DeepEqual(a.Rootfs.Rules, rules):
		a.add(GroupPlace, "ruleset", Seen, want, want)
	default:
		a.changedRules(want, rules)
	}
}

// changedRules names the first rule that is not the plan's.
func (a *bsdAudit) changedRules(want string, rules []devfs.Rule) {
	for _, r := range a.Rootfs.Rules {
		if !slices.ContainsFunc(rules, func(p devfs.Rule) bool { return reflect.DeepEqual(p, r) }) {
			a.add(GroupPlace, "ruleset", Extra, want, "rule "+r.String())
			return
		}
	}
	a.add(GroupPlace, "ruleset", Missing, want, fmt.Sprintf("%d of %d rules", len(a.Rootfs.Rules), len(rules)))
}

// anyRuleset: what the rules of a jail that skep did not make come to.
func (a *bsdAudit) anyRuleset() {
	const want = "a rule set that hides everything and shows exact names"
	r := a.Rootfs.Report
	switch {
	case r == nil:
		a.add(GroupPlace, "ruleset", Unknown, want, orWords(a.Rootfs.Unread, "cannot be read"))
		return
	case r.Empty:
		a.add(GroupPlace, "ruleset", Missing, want, fmt.Sprintf("set %d has no rules and hides nothing", r.Number))
	case len(r.Unfollowed) > 0:
		u := r.Unfollowed[0]
		a.add(GroupPlace, "ruleset", Missing, want, fmt.Sprintf("%s includes set %d, which the kernel does not follow: vfs.devfs.rule_depth is %d", u.Ref, u.Include, r.Depth))
	case r.Hidden == 0:
		a.add(GroupPlace, "ruleset", Missing, want, fmt.Sprintf("set %d hides nothing", r.Number))
	default:
		a.add(GroupPlace, "ruleset", Seen, want, fmt.Sprintf("set %d hides %d nodes of the host's", r.Number, r.Hidden))
	}
	var broad []string
	for _, b := range r.Broad {
		broad = append(broad, fmt.Sprintf("%s: %s", b.Ref, b.Rule))
	}
	a.none(GroupPlace, "ruleset-globs", "no pattern that shows what belongs to others", broad)
}

// plannedNodes are the nodes of the plan.
func plannedNodes(d *plan.DevMount) map[string]bool {
	all := map[string]bool{}
	for _, n := range d.Nodes {
		all[n.Path] = true
	}
	return all
}
