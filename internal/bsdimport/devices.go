package bsdimport

import (
	"fmt"
	"slices"
	"strings"

	"skep/internal/devfs"
)

// devices finds the guest's disk, card and console among what the old rules
// show, and warns of everything else that they show.
func (i *importer) devices() {
	number, where, ok := i.ruleset()
	if !ok && where != "" {
		return
	}
	if !ok {
		i.warn(Rules, "", "these files do not have mount.devfs for this jail: whether it had a /dev, and what it saw there, is unknown")
		return
	}
	var loader devfs.Loader
	if !slices.ContainsFunc(i.in.Rules, func(s source) bool { return strings.Contains(s.Text, "[devfsrules_jail=") }) {
		loader.Load(devfs.StockName, devfs.Stock)
	}
	for _, f := range i.in.Rules {
		loader.Load(f.Name, f.Text)
	}
	for _, p := range loader.Problems {
		i.warn(Rules, fmt.Sprintf("%s:%d", p.File, p.Line), "%s", p.What)
	}
	if loader.Sets[number] == nil {
		i.warn(Rules, where, "rule set %d is in none of %s: what the old jail saw is unknown; if no file of the host has it, it saw everything", number, i.ruleFiles())
		return
	}
	if !i.in.DepthKnown && slices.ContainsFunc(loader.Sets[number].Rules, func(r devfs.Rule) bool { return r.Include != 0 }) {
		i.warn(Rules, "", "vfs.devfs.rule_depth of the old host is unknown; %d, the default, is taken here, and --depth says otherwise", i.in.Depth)
	}
	shown := namedBy(loader.Sets, number, i.in.Depth)
	nodes := slices.Clone(i.in.Nodes)
	if nodes == nil {
		nodes = devfs.TypicalNodes()
		i.warn(Device, "", "no host's /dev is at hand, so that of a typical host stands for what the rules show")
	}
	for _, name := range shown.exact {
		// The machine may be down, and its nodes not there.
		if tapName().MatchString(name) || strings.HasPrefix(name, "nmdm") || strings.HasPrefix(name, "zvol/") {
			n := devfs.Node{Path: name, Type: devfs.GuessType(name)}
			if isParent(name, shown) {
				n = devfs.Node{Path: name, Kind: devfs.Directory}
			}
			nodes = append(nodes, n)
		}
	}
	report, err := devfs.Check(loader.Sets, number, i.in.Depth, nodes)
	if err != nil {
		i.warn(Rules, where, "%v", err)
		return
	}
	if report.Empty {
		i.warn(Rules, where, "rule set %d has no rules, so the old jail saw everything", number)
	}
	for _, u := range report.Unfollowed {
		i.warn(Rules, where, "the kernel did not follow \"include %d\" in %s: vfs.devfs.rule_depth is %d, and that set is itself included; its rules never ran, and nothing says so", u.Include, u.Ref, i.in.Depth)
	}
	for _, b := range report.Broad {
		i.warn(Rules, where, "%s showed every node that matches %q, other machines' too; the new rules name each node", b.Ref, b.Rule.Path)
	}
	i.disks(shown, report)
	i.tap(shown)
	i.console(shown)
	i.lost(report)
}

// ruleset is the number of the set that the old jail's /dev was mounted with:
// what it names, or 4, which jail(8) takes otherwise (usr.sbin/jail/command.c).
func (i *importer) ruleset() (number int, where string, ok bool) {
	if !i.jail.Bool("mount.devfs") {
		return 0, "", false
	}
	p, _ := i.jail.Find("devfs_ruleset")
	value, given := i.jail.Value("devfs_ruleset")
	if !given {
		return 4, "", true
	}
	if _, err := fmt.Sscanf(value, "%d", &number); err != nil {
		i.warn(Rules, p.Pos.String(), "devfs_ruleset = %q is not a number; jail(8) does not know the names of rule sets, and what it made of this one is unknown", value)
		return 0, p.Pos.String(), false
	}
	return number, p.Pos.String(), true
}

// ruleFiles names the files of rules that there are.
func (i *importer) ruleFiles() string {
	var names []string
	for _, f := range i.in.Rules {
		names = append(names, f.Name)
	}
	return strings.Join(append(names, "the system's own"), ", ")
}

// lost warns of each node that the old jail saw and the new one does not: a
// warning for each kind of dangerous ones, and one that names all others.
func (i *importer) lost(report devfs.Report) {
	keeps := map[string]bool{"vmm": true, "null": true, "random": true}
	for _, vm := range []string{i.cell.Name, i.in.Jail} {
		keeps["vmm/"+vm], keeps["vmm.io/"+vm+".bootrom"] = true, true
		keeps["vmm.io/"+vm+".framebuffer"] = i.cell.Screen != nil
	}
	for _, d := range i.cell.Disks {
		keeps["zvol/"+d.Zvol] = true
	}
	for _, n := range i.cell.NICs {
		keeps[n.Tap] = true
	}
	keeps[strings.TrimPrefix(i.cell.Console.Device, "/dev/")] = true

	// Nodes that are dangerous for one reason and shown by one rule share a
	// warning; the report has the worst first.
	for n, f := range report.Dangerous {
		if keeps[f.Path] {
			continue
		}
		var alike []string
		for _, g := range report.Dangerous[n:] {
			if g.Why == f.Why && (g.Shown == nil) == (f.Shown == nil) && (f.Shown == nil || *g.Shown == *f.Shown) && !keeps[g.Path] {
				alike = append(alike, g.Path)
				keeps[g.Path] = true
			}
		}
		if f.Path == "vmmctl" {
			i.warn(Device, "", "the old jail saw vmmctl, by which its bhyve could make VMs for as long as it lived; the new one has a link of that name to null, but while bhyveload(8) loads a guest")
			continue
		}
		reason := "no rule that ran hid it"
		if f.Shown != nil {
			reason = "shown by " + f.Shown.String()
		}
		i.warn(Device, "", "the old jail saw %s (%s), and the new one does not: such a node %s", strings.Join(alike, " "), reason, f.Why)
	}
	var rest []string
	for _, v := range report.Visible {
		if !keeps[v.Path] && v.Kind != devfs.Directory {
			rest = append(rest, v.Path)
		}
	}
	if len(rest) > 0 {
		i.warn(Device, "", "the old jail saw these as well, and the new one does not: %s", strings.Join(rest, " "))
	}
}
