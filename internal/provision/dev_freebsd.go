package provision

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"skep/internal/devfs"
	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/plan"
)

// acquireRuleset gives the rules to the kernel.
func acquireRuleset(s *plan.Ruleset) error {
	rules, err := s.Rules()
	if err != nil {
		return err
	}
	m, err := devfs.Open("/dev")
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
	m, err := devfs.Open("/dev")
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
	err := jail.Mount("devfs", d.Path, [2]string{"from", "devfs"}, [2]string{"ruleset", strconv.Itoa(d.Ruleset)}, jail.Option("nosuid"), jail.Option("noexec"))
	if err != nil {
		return fault.Wrap(fault.Jail, err, "", "mount the jail's /dev")
	}
	return inspect(d, false)
}

// inspect lists the jail's /dev and compares it with the plan. One node too
// many stops the cell, always; one too few stops it once all must be there.
func inspect(d *plan.DevMount, all bool) error {
	if kind, err := jail.MountedOn(d.Path); err != nil || kind != "devfs" {
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
	if all && len(diff.Missing) > 0 {
		return fault.New(fault.Jail, "", "trust the jail's /dev: %s did not appear", strings.Join(diff.Missing, ", "))
	}
	return nil
}

// hide hides every node of the jail's /dev, or applies the cell's rules again.
func hide(d *plan.DevMount, on bool) error {
	m, err := devfs.Open(d.Path)
	if err != nil {
		return err
	}
	defer m.Close()
	if on {
		return m.Apply(devfs.Rule{Hide: true})
	}
	return m.ApplySet(d.Ruleset)
}
