package provision

import (
	"context"
	"errors"
	"os"

	"skep/internal/devfs"
	"skep/internal/devfsctl"
	"skep/internal/jail/freebsdjail"
	"skep/internal/jailparam"
	"skep/internal/plan"
	"skep/internal/store"
)

// A Fixture is a cell whose resources are all acquired but for bhyve: what would be started now, and with
// what. One actor enters after another, and each leaves before the next: they share the jail, as
// one bhyve and the next do after a reset.
type Fixture struct {
	Plan *plan.Plan
	JID  int
	// Missing is what is left out on purpose.
	Missing Missing
	machine *bhyveMachine
	started func(*freebsdjail.Child) error
}

// Missing names what is left out of a fixture on purpose, beside what its plan leaves out. A cell never
// lacks any.
type Missing struct {
	Launch      freebsdjail.Lack
	EmptyRootfs bool // its files and nodes stay
	DevfsRules  bool // its /dev shows every node of the host
	NoSuser     bool // root stays root in its jail
	Capsicum    bool // the actor does not enter capability mode
}

// Fixture has what is around bhyve made as for bhyve itself.
func (t *bsdProvisioner) Fixture(ctx context.Context, last plan.Resource, started func(store.Held) error, act func(context.Context, Fixture) error) error {
	spec, ok := last.Spec.(*plan.Bhyve)
	if !ok {
		return errors.New("the plan has no hypervisor")
	}
	m, err := t.newMachine(spec)
	if err != nil {
		return err
	}
	t.bhyve = m
	return act(ctx, Fixture{Plan: t.plan, JID: t.jid, machine: m, started: func(c *freebsdjail.Child) error {
		return started(store.Held{PID: c.Pid(), Start: c.Start()})
	}})
}

// Enter starts what is run as bhyve, in the way that bhyve is started; input is its standard input, where
// bhyve has /dev/null. It stands in the full rootfs.
func (s Fixture) Enter(ctx context.Context, input *os.File) (*freebsdjail.Child, error) {
	m := s.machine
	l, err := m.launch(m.spec.Path, m.spec.Argv, true)
	if err != nil {
		return nil, err
	}
	l.Stdin, l.Lack = input, s.Missing.Launch
	c, err := m.ready(ctx, l, !s.Missing.DevfsRules)
	if err != nil {
		return nil, err
	}
	if err = s.started(c); err == nil {
		err = c.Go()
	}
	if err != nil {
		c.Kill()
		<-c.Exited()
		return nil, err
	}
	return c, nil
}

// Empty waits until the actor is in capability mode and empties the rootfs behind it, as behind bhyve.
func (s Fixture) Empty(ctx context.Context, c *freebsdjail.Child) error {
	if !s.Missing.Capsicum {
		over, err := s.machine.sandboxed(ctx, c)
		if err == nil && over {
			err = errors.New("it ended before the rootfs was emptied")
		}
		if err != nil {
			return err
		}
	}
	if s.Missing == (Missing{Capsicum: s.Missing.Capsicum}) {
		return s.machine.close(c)
	}
	return s.closeSome()
}

// closeSome closes what of the rootfs is not to stay open.
func (s Fixture) closeSome() error {
	if !s.Missing.EmptyRootfs {
		if err := s.machine.clear(!s.Missing.DevfsRules); err != nil {
			return err
		}
	}
	if s.Missing.NoSuser || s.Missing.Launch.Jail() {
		return nil
	}
	return freebsdjail.UpdatePrison(s.JID, jailparam.Bool("allow.suser", false))
}

// Refill makes the rootfs what it was before the actor that has left; its VM goes, as at a reset.
func (s Fixture) Refill() error {
	if err := s.machine.open(); err != nil {
		return err
	}
	if s.Missing.DevfsRules {
		if err := showAll(s.machine.dev); err != nil {
			return err
		}
	}
	if s.Missing.Launch.Jail() {
		return freebsdjail.DestroyVMOutside(s.machine.spec.VM)
	}
	_, err := destroyInside(s.JID, s.machine.spec.VM)
	return err
}

// showAll has a jail's /dev show what the host's does.
func showAll(d *plan.DevMount) error {
	m, err := devfsctl.Open(d.Path)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.Apply(devfs.Rule{Unhide: true})
}
