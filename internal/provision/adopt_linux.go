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
	var err error
	for _, o := range open {
		if o.Resource.ID == WorkerID {
			err = t.endProcess(ctx, o.Held) // one that has not heard of its keeper's death has QMP still
		}
	}
	if err != nil {
		return err
	}
	spec := planWorker(t.plan)
	t.workers = startWorkers(spec, beginWorker(spec, t.plan.Layers, nil))
	m := t.newMachine(st.Plan)
	m.counts, t.served = st.Reach, st.Services
	if m.proc, err = linuxjail.Adopt(st.PID, st.PIDStart, record); err != nil {
		return err
	}
	t.qemu = m
	go m.wait()
	if err := t.haveWorker(ctx); err != nil {
		return err
	}
	if err := m.greet(ctx); err != nil {
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
		t.watch(m)
		return nil
	case hypervisor.StatePaused, hypervisor.StateRunning:
		if err := m.standAs(ctx, st.Suspended != ""); err != nil {
			return err
		}
		t.watch(m)
		return nil
	case hypervisor.StateDebug:
		t.watch(m)
		return nil
	case hypervisor.StatePrelaunch:
		if m.waits {
			t.watch(m)
			return nil
		}
		return fmt.Errorf("the guest had not begun to run")
	}
	// It ended while nobody watched. Which end it was, QEMU no longer says.
	go m.finish(notSeen(status.State, "while it had no keeper"))
	return nil
}

// standAs has the guest paused, or not, whatever its dead keeper was in the middle of.
func (m *qemuMachine) standAs(ctx context.Context, paused bool) error {
	m.paused.Store(paused)
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
