package plan

import (
	"fmt"
	"slices"
	"strings"

	"skep/internal/cell"
	"skep/internal/fault"
)

// Forms are the forms of As: what an administrator of a FreeBSD host writes
// where there is no skep.
var Forms = []string{"jail.conf", "devfs.rules", "rc.conf", "bhyve"}

// As writes a cell as one of JobForms, or a plan for a FreeBSD host as one of Forms, so that nobody depends
// on skep to go on running what it has run. The four together make the cell:
// rules and interfaces at boot, then the jail, then bhyve in it.
//
// What has no place in any of them is said in comments: they are fixed texts,
// and the rootfs of a cell empties itself while its guest runs.
func As(form string, c *cell.Cell, p *Plan) (string, error) {
	if slices.Contains(JobForms, form) {
		return jobOf(c).as(form), nil
	}
	if !slices.Contains(Forms, form) {
		return "", fault.New(fault.Input, "choose one of: "+strings.Join(slices.Concat(Forms, JobForms), ", "), "print a plan as %q: no such form", form)
	}
	if p.OS != "freebsd" {
		return "", fault.New(fault.Input, "--os freebsd plans for a FreeBSD host, --host FACTS.json for a certain one",
			"print a plan for %s as %s: this form exists for FreeBSD only", p.OS, form)
	}
	f, err := partsOf(c, p)
	if err != nil {
		return "", err
	}
	switch form {
	case "jail.conf":
		return f.jailConf()
	case "devfs.rules":
		return f.devfsRules()
	case "rc.conf":
		return f.rcConf(), nil
	}
	return f.bhyveScript(), nil
}

// parts are the resources that the forms are made of.
type parts struct {
	cell   *cell.Cell
	plan   *Plan
	prison *Prison
	rules  *Ruleset
	tree   *JailRootfs
	bhyve  *Bhyve
}

func partsOf(c *cell.Cell, p *Plan) (parts, error) {
	p = byHand(p)
	f := parts{cell: c, plan: p}
	for _, r := range p.Resources {
		switch s := r.Spec.(type) {
		case *Prison:
			f.prison = s
		case *Ruleset:
			f.rules = s
		case *JailRootfs:
			f.tree = s
		case *Bhyve:
			f.bhyve = s
		}
	}
	if f.prison == nil || f.rules == nil || f.tree == nil || f.bhyve == nil {
		return f, fmt.Errorf("the plan of %s lacks its jail, its rules, its root or its hypervisor", c.Name)
	}
	return f, nil
}

// byHand is the plan as the tools of the base system can carry it out. jexec(8) takes the names of users
// and no numbers, and nothing but skep makes a VM before bhyve does: so bhyve is root in its jail, its
// nodes are root's, and it has vmmctl where there is one. Nobody else's plan is changed.
func byHand(p *Plan) *Plan {
	out := *p
	out.Resources = slices.Clone(p.Resources)
	var real []Node
	for _, d := range Specs[*DevMount](p) {
		real = roots(linked(d.Links))
	}
	for i, r := range out.Resources {
		switch s := r.Spec.(type) {
		case *Prison:
			root := *s
			root.Suser = true
			out.Resources[i].Spec = &root
		case *Ruleset:
			out.Resources[i].Spec = &Ruleset{Number: s.Number, Nodes: append(roots(s.Nodes), real...)}
		case *DevMount:
			out.Resources[i].Spec = &DevMount{Path: s.Path, Ruleset: s.Ruleset, Nodes: roots(s.Nodes)}
		case *Mount:
			m := *s
			m.UID = 0
			out.Resources[i].Spec = &m
		case *VM:
			out.Resources[i].Spec = &VM{Name: s.Name}
		case *Bhyve:
			b := *s
			b.UID, b.GID = 0, 0
			out.Resources[i].Spec = &b
		}
	}
	return &out
}

// roots are the nodes with the owners that their drivers gave them.
func roots(nodes []Node) []Node {
	out := slices.Clone(nodes)
	for i := range out {
		out[i].UID = -1
	}
	return out
}

// header is the comment at the top of a form.
func (f parts) header(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("# " + cell.Printable(l) + "\n")
	}
	return b.String()
}

// setName is the name of the rule set, which has to be one of sh(1)'s.
func (f parts) setName() string {
	return strings.ReplaceAll(f.prison.Name, "-", "_")
}

// devfsRules is devfs.rules(5).
func (f parts) devfsRules() (string, error) {
	rules, err := f.rules.Rules()
	if err != nil {
		return "", err
	}
	set := ruleset(f.setName(), f.rules.Number, rules)
	return f.header(
		"devfs.rules(5): the device nodes of cell "+f.cell.Name+", by their exact names.",
		"In /etc/devfs.rules, then: service devfs restart",
	) + set.Text(), nil
}
