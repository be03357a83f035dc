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
	PrivateRoot bool // a worker's root is the host's
	SecureLevel bool // a worker's jail has the host's
}

// Fixture has what is around bhyve made as for bhyve itself.
func (t *bsdProvisioner) Fixture(ctx context.Context, last plan.Resource, started func(store.Held) error, act func(context.Context, Fixture) error) error {
	t.logs.unread.Store(true)
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

// WorkerJail makes the jail of the cell's worker, or finds it, and says its number.
func (s Fixture) WorkerJail() (jid int, err error) {
	w, err := one[*plan.Worker](s.Plan)
	if err != nil {
		return 0, err
	}
	if s.Missing.PrivateRoot || s.Missing.SecureLevel || s.Missing.NoSuser {
		return s.laxWorkerJail(w)
	}
	return haveWorkerJail(w)
}

// laxWorkerJail is that jail without what is missing on purpose.
func (s Fixture) laxWorkerJail(w *plan.Worker) (int, error) {
	params := w.Params()
	for i, p := range params {
		switch {
		case p.Name == "path" && s.Missing.PrivateRoot:
			params[i] = jailparam.String("path", "/")
		case p.Name == "securelevel" && s.Missing.SecureLevel:
			params[i] = jailparam.Int("securelevel", -1)
		case p.Name == "allow.suser" && s.Missing.NoSuser:
			params[i] = jailparam.Bool("allow.suser", true)
		}
	}
	return haveWorkerJailWith(w, params)
}

// EnterWorker starts a program in the place of the cell's worker, in the way that one is started: with that socket to
// its keeper, and with what a worker is handed. commands is its standard input.
func (s Fixture) EnterWorker(commands, keeper, program *os.File) (*freebsdjail.Confined, error) {
	w, err := one[*plan.Worker](s.Plan)
	if err != nil {
		return nil, err
	}
	jid, lack := 0, s.Missing.Launch
	if lack.Jail() {
		lack.Root, err = w.Root, haveWorkerRoot(w)
	} else {
		jid, err = s.WorkerJail()
	}
	if err != nil {
		return nil, err
	}
	m := s.machine
	start := workerStart(w, jid)
	start.Lack, start.Capsicum = lack, !s.Missing.Capsicum
	start.Rights[0] = rightsStream // where a worker has nothing
	files := []*os.File{keeper}
	for _, h := range WorkerHandles {
		f, err := m.handle(h)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		start.Rights[workerFD+len(files)] = h.rights
		files = append(files, f)
	}
	start.Exec, start.Keep = workerFD+len(files), len(files)+1
	start.Rights[start.Exec] = "fexecve read"
	files = append(files, program)
	if s.Missing.Capsicum {
		start.Rights = nil // they are capability mode's
	}
	args, err := start.Args()
	if err != nil {
		return nil, err
	}
	return freebsdjail.StartConfined(args, commands, s.machine.provisioner.files["hypervisor-log"], files...)
}

// workerFD is a worker's socket to its keeper; WorkerHandles follow it.
const workerFD = 3

// A WorkerHandle is something that a worker is handed.
type WorkerHandle struct {
	Name   string
	rights string
}

// WorkerHandles are what whoever takes a worker over has besides, in the order of their numbers.
var WorkerHandles = []WorkerHandle{{"hypervisor-log", rightsRead}, {"console", rightsStream}, {"console-log", rightsCut}, {"console-log-end", rightsAppend}}

// handle opens one as for a worker.
func (m *bhyveMachine) handle(h WorkerHandle) (*os.File, error) {
	t := m.provisioner
	var path string
	for _, l := range plan.Specs[*plan.Log](t.plan) {
		if l.Name == "console-log" {
			path = l.Path
		}
	}
	switch h.Name {
	case "hypervisor-log":
		return os.Open(m.words)
	case "console":
		if m.far == nil {
			return nil, errors.New("the far end of the console is not open")
		}
		return freebsdjail.Limited(m.far, h.rights)
	case "console-log":
		return os.OpenFile(path, os.O_RDWR, 0)
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
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
	if s.Missing == (Missing{Capsicum: s.Missing.Capsicum, PrivateRoot: s.Missing.PrivateRoot, SecureLevel: s.Missing.SecureLevel}) {
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
