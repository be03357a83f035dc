package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"skep/internal/console"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/jail/freebsdjail"
	"skep/internal/plan"
)

// prepare has a launcher stand ready in the jail.
func (m *bhyveMachine) prepare(ctx context.Context, path string, argv []string, keep bool) (*freebsdjail.Child, error) {
	l, err := m.launch(path, argv, keep)
	if err != nil {
		return nil, err
	}
	return m.ready(ctx, l, true)
}

// launch is what a program of this cell is started with: as the plan has it,
// and with the locks of its disks if it is to keep them.
func (m *bhyveMachine) launch(path string, argv []string, keep bool) (freebsdjail.Launch, error) {
	t := m.provisioner
	l := freebsdjail.Launch{
		JID: t.jid, Path: jail.RootfsPath(path), Argv: argv, UID: m.spec.UID, GID: m.spec.GID,
		Console: jail.RootfsPath(m.modem.Inside), Stderr: t.files["hypervisor-log"],
		Bound: m.spec.Bound,
	}
	for _, r := range m.spec.Rlimits {
		l.Limits = append(l.Limits, jail.Limit{Name: r.Name, Value: r.Value})
	}
	if keep {
		for _, v := range plan.Specs[*plan.VM](t.plan) {
			if v.Before {
				l.VM = v.Name
			}
		}
		// The lock of an image lasts as long as a process has it open: the
		// hypervisor's life, should the keeper die.
		for _, d := range plan.Specs[*plan.Disk](t.plan) {
			if d.Type != plan.DiskFile && d.Type != plan.DiskISO {
				continue
			}
			if t.files["disk:"+d.Label] == nil {
				// Taken up from a dead keeper: the bhyve that held the lock is gone.
				f, _, err := disk.OpenUnless(d, func(*disk.Foreign) bool { return true })
				if err != nil {
					return l, err
				}
				t.hold("disk:"+d.Label, f)
			}
			l.Keep = append(l.Keep, t.files["disk:"+d.Label])
		}
	}
	bound, err := m.fileBound()
	if err == nil && bound.Value > 0 {
		l.Limits = append(l.Limits, bound)
	}
	return l, err
}

// fileBound bounds what bhyve can make large: its log, its disks. A directory
// that the guest may write to has files of any size; then there is no bound.
func (m *bhyveMachine) fileBound() (jail.Limit, error) {
	for _, s := range plan.Specs[*plan.Mount](m.provisioner.plan) {
		if s.Dir && !s.ReadOnly && s.Size == 0 {
			return jail.Limit{}, nil
		}
	}
	var files []jail.FD
	for name, f := range m.provisioner.files {
		if name == "vars" || strings.HasPrefix(name, "disk:") {
			files = append(files, jail.FD{Name: name, File: f})
		}
	}
	return fileBound(m.provisioner.plan, files, m.provisioner.cell.Jail.Limits.Disk, 0)
}

// ready has the launcher open the console's near end, opens the far end, and
// looks at the jail's /dev once more, if that has rules.
func (m *bhyveMachine) ready(ctx context.Context, l freebsdjail.Launch, ruled bool) (*freebsdjail.Child, error) {
	c, err := freebsdjail.Prepare(ctx, l)
	if err != nil {
		return nil, launchFault(err)
	}
	if err := m.join(ctx); err != nil {
		c.Kill()
		<-c.Exited()
		return nil, err
	}
	if !ruled {
		return c, nil
	}
	if err := inspect(m.dev, false); err != nil {
		c.Kill()
		<-c.Exited()
		return nil, err
	}
	return c, nil
}

// join opens the far end of the null modem, the first time, and has the worker read it.
func (m *bhyveMachine) join(ctx context.Context) error {
	if m.far != nil {
		return nil
	}
	m.handing.Lock()
	defer m.handing.Unlock()
	t := m.provisioner
	f, err := console.OpenModem(m.modem.Outside)
	if err != nil {
		return fault.Wrap(fault.Host, err, "kldload nmdm; fstat "+m.modem.Outside+" shows whether another program has it", "open the console's far end")
	}
	t.hold("modem", f)
	m.far = f
	if t.workers == nil {
		return nil // an actor's: nobody listens
	}
	l := t.sockets["console"]
	if l == nil {
		return errors.New("the plan has no console socket")
	}
	link := t.workers.link()
	if err := m.handConsole(ctx, link); err != nil && link.Err() == nil {
		return err // else the next worker gets it
	}
	go m.accept(l)
	return nil
}

// load runs bhyveload in the jail. It reads what the guest wrote, so it has the
// jail, the limits and the hardening that bhyve has.
func (m *bhyveMachine) load(ctx context.Context) error {
	outer := ctx
	ctx, cancel := context.WithTimeout(outer, loadWait)
	defer cancel()
	if err := uncover(m.dev); err != nil {
		return err
	}
	argv := append([]string{"bhyveload"}, m.spec.Loader[1:]...)
	c, err := m.prepare(ctx, m.spec.Loader[0], argv, false)
	if err != nil {
		return err
	}
	if err := c.Go(); err != nil {
		return launchFault(err)
	}
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for running := true; running; {
		select {
		case <-c.Exited():
			running = false
		case <-look.C:
			// Whoever is tired of the menu need not wait for its end.
			who, ok := m.provisioner.env.StopAsked()
			if !ok {
				continue
			}
			c.Kill()
			<-c.Exited()
			return fault.New(fault.Stopped, "", "load the guest: stopped by %s", who)
		case <-ctx.Done():
			c.Kill()
			<-c.Exited()
			if outer.Err() != nil {
				return outer.Err()
			}
			return fault.New(fault.HypervisorDied, "", "load the guest: bhyveload was still at it after %s", loadWait)
		}
	}
	if e := c.Exit(); e.Code != 0 || e.Signal != 0 {
		return fault.New(fault.HypervisorDied, "skep log shows what the loader said on the console", "load the guest: bhyveload ended with %s: %s", exitText(e), m.lastWords())
	}
	return m.loaded()
}

// loaded takes from the jail what only bhyveload needs, and looks for what it may have been used for by
// whoever wrote the disk that it read.
func (m *bhyveMachine) loaded() error {
	if err := cover(m.dev, true); err != nil {
		return fault.Wrap(fault.Jail, err, "", "take vmmctl from the jail")
	}
	strangers, err := m.provisioner.destroyStrangers(m.provisioner.jid, m.spec.VM, false)
	if err == nil && len(strangers) > 0 {
		err = errors.New("bhyveload has made VMs that no plan names")
	}
	if err != nil {
		return fault.Wrap(fault.Jail, err, "", "trust the jail after the guest was loaded")
	}
	return nil
}

func exitText(e jail.Exit) string {
	if e.Signal != 0 {
		return syscall.Signal(e.Signal).String()
	}
	return fmt.Sprintf("status %d", e.Code)
}

// launchFault says what a person can do about a launcher that failed.
func launchFault(err error) error {
	var step *jail.StepError
	if errors.As(err, &step) {
		return &fault.Error{Code: fault.Jail, Hint: "skep doctor shows what this host has", Op: "enter the jail", Reason: step.Step, Err: step.Errno}
	}
	return fault.Wrap(fault.Jail, err, "", "enter the jail")
}
