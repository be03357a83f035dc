package provision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"skep/internal/devfs"
	"skep/internal/devfsctl"
	"skep/internal/fault"
	"skep/internal/jail/freebsdjail"
	"skep/internal/plan"
)

// acquireRuleset gives the rules to the kernel.
func acquireRuleset(s *plan.Ruleset) error {
	rules, err := s.Rules()
	if err != nil {
		return err
	}
	m, err := devfsctl.Open("/dev")
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "write devfs rules")
	}
	defer m.Close()
	if there, err := m.Rules(s.Number); err != nil || len(there) > 0 {
		return fault.Wrap(fault.Jail, errors.Join(err, fmt.Errorf("it has %d rules already", len(there))), "devfs rule -s "+strconv.Itoa(s.Number)+" show",
			"use rule set %d", s.Number)
	}
	for _, r := range rules {
		if err := m.Add(s.Number, r); err != nil {
			return fault.Wrap(fault.Jail, err, "", "write rule set %d", s.Number)
		}
	}
	return nil
}

// releaseRuleset deletes the set if its rules are ours, or the first of ours.
func releaseRuleset(s *plan.Ruleset) error {
	rules, err := s.Rules()
	if err != nil {
		return err
	}
	m, err := devfsctl.Open("/dev")
	if err != nil {
		return err
	}
	defer m.Close()
	there, err := m.Rules(s.Number)
	if err != nil || len(there) == 0 {
		return err
	}
	if len(there) > len(rules) || !reflect.DeepEqual(there, rules[:len(there)]) {
		return nil // somebody else's
	}
	return m.DeleteSet(s.Number)
}

// acquireDev mounts the jail's /dev under its rules, and looks at it.
func acquireDev(d *plan.DevMount) error {
	err := freebsdjail.Mount("devfs", d.Path, [2]string{"from", "devfs"}, [2]string{"ruleset", strconv.Itoa(d.Ruleset)}, freebsdjail.Option("nosuid"), freebsdjail.Option("noexec"))
	if err != nil {
		return fault.Wrap(fault.Jail, err, "", "mount the jail's /dev")
	}
	if err := cover(d, false); err != nil {
		return fault.Wrap(fault.Jail, err, "", "take vmmctl from the jail")
	}
	return inspect(d, false)
}

// cover puts the links of a /dev over the nodes of their names: those that are there from the start, or
// those that come after bhyveload. A link can be made only where the node cannot be seen.
func cover(d *plan.DevMount, late bool) error {
	for _, l := range d.Links {
		if l.Late != late {
			continue
		}
		if err := show(d, l, false); err != nil {
			return err
		}
		if err := os.Symlink(l.To, filepath.Join(d.Path, l.Name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := show(d, l, true); err != nil {
			return err
		}
	}
	return nil
}

// uncover shows the nodes of the late links themselves.
func uncover(d *plan.DevMount) error {
	for _, l := range d.Links {
		if !l.Late {
			continue
		}
		if err := show(d, l, true); err != nil {
			return err
		}
		at := filepath.Join(d.Path, l.Name)
		if _, err := os.Readlink(at); err != nil {
			continue
		}
		if err := os.Remove(at); err != nil {
			return err
		}
	}
	return nil
}

// show has one mount show a link, or hide it.
func show(d *plan.DevMount, l plan.DevLink, on bool) error {
	m, err := devfsctl.Open(d.Path)
	if err != nil {
		return err
	}
	defer m.Close()
	r := devfs.Rule{HasPath: true, Path: l.Name, Hide: !on, Unhide: on}
	if on && l.UID >= 0 {
		r.User, r.HasMode, r.Mode = strconv.Itoa(l.UID), true, 0o600
	}
	return m.Apply(r)
}

// covered names a link of the plan whose node is seen in the list of a /dev in its place, or "".
func covered(d *plan.DevMount, nodes []devfs.Node, late bool) string {
	for _, l := range d.Links {
		for _, n := range nodes {
			if n.Path == l.Name && n.Kind != devfs.Symlink && (late || !l.Late) {
				return n.Path
			}
		}
	}
	return ""
}

// inspect lists the jail's /dev and compares it with the plan. One node too
// many stops the cell, always; one too few stops it once all must be there.
func inspect(d *plan.DevMount, all bool) error {
	if kind, err := freebsdjail.MountedOn(d.Path); err != nil || kind != "devfs" {
		return fault.New(fault.Jail, "", "trust the jail's /dev: a %q is mounted there, not devfs", kind)
	}
	nodes, err := devfs.List(d.Path)
	if err != nil {
		return fault.Wrap(fault.Jail, err, "", "list the jail's /dev")
	}
	diff := devfs.Compare(devfs.Paths(nodes), devfs.Planned(plan.Grants(d.Nodes)))
	if len(diff.Extra) > 0 {
		return fault.New(fault.Jail, "skep devfs-check shows what rules show a jail", "trust the jail's /dev: it shows %s besides the planned nodes", strings.Join(diff.Extra, ", "))
	}
	if bare := covered(d, nodes, all); bare != "" {
		return fault.New(fault.Jail, "", "trust the jail's /dev: it shows %s itself, where the plan has a link", bare)
	}
	if all && len(diff.Missing) > 0 {
		return fault.New(fault.Jail, "", "trust the jail's /dev: %s did not appear", strings.Join(diff.Missing, ", "))
	}
	return nil
}

// hide hides every node of the jail's /dev, or applies the cell's rules again.
func hide(d *plan.DevMount, on bool) error {
	m, err := devfsctl.Open(d.Path)
	if err != nil {
		return err
	}
	defer m.Close()
	if on {
		return m.Apply(devfs.Rule{Hide: true})
	}
	if err := m.ApplySet(d.Ruleset); err != nil {
		return err
	}
	return cover(d, false)
}
