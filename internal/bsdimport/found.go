package bsdimport

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"skep/internal/cell"
	"skep/internal/devfs"
)

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
	tapName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(tap|vmnet)[0-9]+$`) })
	nmdmA   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^nmdm[A-Za-z0-9._-]{1,48}A$`) })
)

// tap takes the one tap that the rules name, or that there is for a glob.
func (i *importer) tap(shown patterns) {
	var taps []string
	for _, name := range shown.exact {
		if tapName().MatchString(name) {
			taps = append(taps, name)
		}
	}
	if len(taps) == 0 && (shown.has("tap") || shown.has("vmnet")) {
		for name := range strings.FieldsSeq(i.rc["cloned_interfaces"]) {
			if tapName().MatchString(name) {
				taps = append(taps, name)
			}
		}
		for _, n := range i.in.Nodes {
			if tapName().MatchString(n.Path) && !slices.Contains(taps, n.Path) {
				taps = append(taps, n.Path)
			}
		}
		if len(taps) != 1 {
			among := ""
			if len(taps) > 0 {
				among = " (" + strings.Join(taps, ", ") + " are there)"
			}
			i.warn(Network, "", "the old rules show taps by a glob, and which one is this guest's is not in these files%s; add nic \"lan\" { tap = \"…\" }, or { bridge = \"…\" } for one that skep makes", among)
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
		if nmdmA().MatchString(guest) && i.cell.Console.Device == "" {
			i.cell.Console.Device = "/dev/" + guest
		}
	}
	if i.cell.Console.Device == "" && shown.has("nmdm") {
		i.warn(Device, "", "the old rules show null modems by a glob; the cell makes one named after itself, and skep console attaches to it")
	}
}
