package provision

import (
	"skep/internal/devfs"
	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/jail/freebsdjail"
	"skep/internal/jailparam"
	"skep/internal/plan"
	"skep/internal/store"
)

// close compares the jail's /dev with the plan for the last time and takes
// away what only the start needed: files, nodes, and root's being root.
func (m *bhyveMachine) close(c *freebsdjail.Child) error {
	if err := inspect(m.dev, true); err != nil {
		select {
		case <-c.Exited():
			// Its nodes went with it; follow tells how it ended.
		default:
			return err
		}
	}
	wrong := func(err error) error {
		return fault.Wrap(fault.Jail, err, "", "seal the rootfs of %s", m.provisioner.plan.Name)
	}
	if err := m.clear(true); err != nil {
		return wrong(err)
	}
	// Also where the start needs none: the end of an earlier bhyve's VM did.
	if err := freebsdjail.UpdatePrison(m.provisioner.jid, jailparam.Bool("allow.suser", false)); err != nil {
		return wrong(err)
	}
	m.counts = m.count()
	m.rec = jail.Record{Layers: freebsdjail.Evidence(c.Pid(), m.provisioner.jid), Steps: len(m.provisioner.plan.Resources), Sealed: true, Limits: freebsdjail.Rlimits(c.Pid()),
		Links: linksOf(m.provisioner.plan)}
	return nil
}

// clear takes the files out of the rootfs, and its nodes out of sight if it has rules for them.
func (m *bhyveMachine) clear(nodes bool) error {
	if nodes {
		if err := hide(m.dev, true); err != nil {
			return err
		}
	}
	m.emptied = true // from here on there is something for open to undo
	if err := strip(m.tree); err != nil {
		return err
	}
	for _, s := range plan.Specs[*plan.Mount](m.provisioner.plan) {
		if s.Passing {
			if err := freebsdjail.Unmount(s.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// count is what can still be reached by a name in the rootfs.
func (m *bhyveMachine) count() *store.Reach {
	r := &store.Reach{Mounts: 2}
	if m.tree.Existing {
		r.Files = -1 // all of the tree that the cell file names
	}
	for _, s := range plan.Specs[*plan.Mount](m.provisioner.plan) {
		if s.Passing {
			continue
		}
		r.Mounts++
		if s.Size == 0 {
			r.Files++
		}
	}
	if nodes, err := devfs.List(m.dev.Path); err == nil {
		for _, n := range nodes {
			if n.Kind != devfs.Directory {
				r.Nodes++
			}
		}
	}
	return r
}

// open undoes close, for a reset.
func (m *bhyveMachine) open() error {
	if !m.emptied {
		return nil
	}
	m.emptied = false
	if m.prison.Suser {
		if err := freebsdjail.UpdatePrison(m.provisioner.jid, jailparam.Bool("allow.suser", true)); err != nil {
			return err
		}
	}
	if err := unlock(m.tree); err != nil {
		return err
	}
	if err := m.provisioner.furnish(m.tree); err != nil {
		return err
	}
	for _, s := range plan.Specs[*plan.Mount](m.provisioner.plan) {
		if s.Passing {
			if err := acquireMount(s); err != nil {
				return err
			}
		}
	}
	return hide(m.dev, false)
}

// upTaps brings our taps up again: a tap goes down when bhyve closes it.
func (m *bhyveMachine) upTaps() {
	for _, tap := range plan.Specs[*plan.Tap](m.provisioner.plan) {
		if !tap.Admin {
			if err := upTap(tap); err != nil {
				m.provisioner.env.Notify("cannot bring up " + tap.Name + ": " + err.Error())
			}
		}
	}
}
