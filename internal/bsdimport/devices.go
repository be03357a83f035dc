package bsdimport

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"skep/internal/cell"
	"skep/internal/devfs"
)

// devices finds the guest's disk, card and console among what the old rules
// show, and warns of everything else that they show.
func (i *importer) devices() {
	number, where, ok := i.ruleset()
	if !ok {
		i.warn(Rules, "", "the old jail mounts no devfs, so bhyve had no devices in it")
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
	shown := namedBy(loader.Sets, number, i.in.Depth)
	nodes := slices.Clone(i.in.Nodes)
	if nodes == nil {
		nodes = devfs.TypicalNodes()
		i.warn(Device, "", "no host's /dev is at hand, so that of a typical host stands for what the rules show")
	}
	for _, name := range shown.exact {
		// The machine may be down, and its nodes not there.
		if tapName.MatchString(name) || strings.HasPrefix(name, "nmdm") || strings.HasPrefix(name, "zvol/") {
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
		i.warn(Rules, p.Pos.String(), "devfs_ruleset = %q is no number; jail(8) does not know the names of rule sets", value)
	}
	return number, p.Pos.String(), true
}

// patterns are what the rules that unhide something match.
type patterns struct {
	exact []string // names
	globs []string
}

func (p patterns) has(glob string) bool {
	return slices.ContainsFunc(p.globs, func(g string) bool { return strings.HasPrefix(g, glob) })
}

// namedBy collects the patterns of a set and of those that it reaches.
func namedBy(sets devfs.Rulesets, number, depth int) patterns {
	var p patterns
	seen := map[int]bool{}
	var walk func(number, depth int)
	walk = func(number, depth int) {
		if set := sets[number]; set != nil && !seen[number] && depth >= 0 {
			seen[number] = true
			for _, r := range set.Rules {
				if name, exact := r.Name(); r.Unhide && exact {
					p.exact = append(p.exact, name)
				} else if r.Unhide && r.HasPath {
					p.globs = append(p.globs, r.Path)
				}
				if r.Include != 0 {
					walk(r.Include, depth-1)
				}
			}
		}
	}
	walk(number, depth)
	return p
}

// disks takes every volume that a rule names, and of those that a glob shows
// the ones that this host has.
func (i *importer) disks(shown patterns, report devfs.Report) {
	used := map[string]bool{}
	add := func(node string) {
		name := path.Base(node)
		if cell.ValidName(name) != nil || used[name] {
			name = fmt.Sprintf("disk%d", len(i.cell.Disks))
		}
		used[name] = true
		i.cell.Disks = append(i.cell.Disks, cell.Disk{Label: name, Zvol: strings.TrimPrefix(node, "zvol/")})
	}
	for _, v := range report.Visible {
		if !strings.HasPrefix(v.Path, "zvol/") || v.Kind != devfs.Device {
			continue
		}
		if slices.Contains(shown.exact, v.Path) && !isParent(v.Path, shown) {
			add(v.Path)
		} else if i.in.Nodes != nil && v.Shown != nil {
			add(v.Path)
			i.warn(Device, "", "a glob in the old rules shows %s; it is taken for a disk of this guest: see to it that it is one", v.Path)
		}
	}
	if len(i.cell.Disks) == 0 && shown.has("zvol") {
		i.warn(Device, "", "the old rules show volumes by a glob only; add a disk block for each volume of this guest")
	}
}

// isParent says whether another pattern lies below a name, which is a
// directory then.
func isParent(name string, shown patterns) bool {
	below := func(p string) bool { return strings.HasPrefix(p, name+"/") }
	return slices.ContainsFunc(shown.exact, below) || slices.ContainsFunc(shown.globs, below)
}

var (
	tapName = regexp.MustCompile(`^(tap|vmnet)[0-9]+$`)
	nmdmA   = regexp.MustCompile(`^nmdm[A-Za-z0-9._-]{1,48}A$`)
)

// tap takes the one tap that the rules name, or that there is for a glob.
func (i *importer) tap(shown patterns) {
	var taps []string
	for _, name := range shown.exact {
		if tapName.MatchString(name) {
			taps = append(taps, name)
		}
	}
	if len(taps) == 0 && (shown.has("tap") || shown.has("vmnet")) {
		for name := range strings.FieldsSeq(i.rc["cloned_interfaces"]) {
			if tapName.MatchString(name) {
				taps = append(taps, name)
			}
		}
		for _, n := range i.in.Nodes {
			if tapName.MatchString(n.Path) && !slices.Contains(taps, n.Path) {
				taps = append(taps, n.Path)
			}
		}
		if len(taps) != 1 {
			i.warn(Network, "", "the old rules show taps by a glob, and which one is this guest's is not in these files (%s); add nic \"lan\" { tap = \"…\" }, or { bridge = \"…\" } for one that skep makes", strings.Join(taps, " "))
			return
		}
	}
	for _, t := range taps {
		if slices.ContainsFunc(i.cell.NICs, func(n cell.NIC) bool { return n.Tap == t }) {
			continue
		}
		i.cell.NICs = append(i.cell.NICs, cell.NIC{Label: t, Tap: t, Model: "virtio"})
		i.bridgeOf(t)
	}
}

// console takes the null modem that the rules name.
func (i *importer) console(shown patterns) {
	for _, name := range shown.exact {
		guest := name
		if strings.HasSuffix(name, "B") {
			guest = name[:len(name)-1] + "A"
		}
		if nmdmA.MatchString(guest) && i.cell.Console.Device == "" {
			i.cell.Console.Device = "/dev/" + guest
		}
	}
	if i.cell.Console.Device == "" && shown.has("nmdm") {
		i.warn(Device, "", "the old rules show null modems by a glob; the cell makes one named after itself, and skep console attaches to it")
	}
}

// lost warns of each node that the old jail saw and the new one does not: a
// warning for each kind of dangerous ones, and one that names all others.
func (i *importer) lost(report devfs.Report) {
	keeps := map[string]bool{"vmm": true, "vmm/" + i.cell.Name: true, "vmm/" + i.in.Jail: true}
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
