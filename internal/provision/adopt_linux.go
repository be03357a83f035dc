package provision

import (
	"context"
	"fmt"

	"skep/internal/hypervisor"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/plan"
	"skep/internal/store"
)

// Bare is what of a cell can be found without its plan.
func Bare(*store.Store, string) []plan.Resource {
	return []plan.Resource{{ID: HypervisorID, Spec: &plan.Hypervisor{}}}
}

// Adopt connects to a QEMU that runs on without its keeper: its sockets were
// bound outside and listen still. Disks, taps and control groups need nothing:
// the hypervisor holds them. What it said to the dead keeper's pipe is lost,
// and its exit status will go to another parent: both are reported as not
// seen.
func (t *linuxProvisioner) Adopt(ctx context.Context, open []store.Outstanding, st store.State) error {
	record := jail.Record{}
	if st.Jail != nil {
		record = *st.Jail
	}
	m := &qemuMachine{
		name:    t.plan.Name,
		cell:    t.cell,
		accel:   st.Plan.Accel,
		stderr:  &hypervisor.Stderr{},
		queue:   make(chan Event, 4),
		failed:  make(chan hypervisor.Event, 1),
		exited:  make(chan struct{}),
		killed:  make(chan struct{}),
		decided: make(chan struct{}, 1),
		counts:  st.Reach,
		bios:    throughBIOS(st.Plan),
		screen:  hasScreen(st.Plan),
		waits:   waits(t.cell),
	}
	var err error
	if m.proc, err = linuxjail.Adopt(st.PID, st.PIDStart, record); err != nil {
		return err
	}
	t.qemu = m
	go func() {
		m.exit, _ = m.proc.Wait(context.Background())
		close(m.exited)
	}()
	if err := m.greet(ctx, planSocket(t.plan, "qmp")); err != nil {
		return err
	}
	status, err := m.qmp.QueryStatus(ctx)
	if err != nil {
		return err
	}
	if err := adoptRest(t, open); err != nil {
		return err
	}
	switch status.State {
	case hypervisor.StateIOError:
		m.failed <- m.qmp.LastIOError(ctx)
		go m.follow()
		return nil
	case hypervisor.StatePaused, hypervisor.StateRunning:
		if err := m.standAs(ctx, st.Suspended != ""); err != nil {
			return err
		}
		go m.follow()
		return nil
	case hypervisor.StateDebug:
		go m.follow()
		return nil
	case hypervisor.StatePrelaunch:
		if m.waits {
			go m.follow()
			return nil
		}
		return fmt.Errorf("the guest had not begun to run")
	}
	// It ended while nobody watched. Which end it was, QEMU no longer says.
	go m.finish(hypervisor.End{Kind: hypervisor.EndNotSeen, Detail: fmt.Sprintf("the guest ended while it had no keeper (QEMU: %s); whether it powered off or reset was not seen", status.State)})
	return nil
}

// standAs has the guest paused, or not, whatever its dead keeper was in the middle of.
func (m *qemuMachine) standAs(ctx context.Context, paused bool) error {
	if paused {
		return m.qmp.Stop(ctx)
	}
	return m.qmp.Cont(ctx)
}

// adoptScreen listens for viewers again.
func (t *linuxProvisioner) adoptScreen(s *plan.Screen) error {
	if s.Path != "" {
		if err := removeFile(s.Path); err != nil {
			return err
		}
	}
	return t.acquireScreen(s)
}
