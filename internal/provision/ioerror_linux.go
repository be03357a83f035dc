package provision

import (
	"context"
	"fmt"

	"skep/internal/hypervisor"
	"skep/internal/jail"
	"skep/internal/store"
)

func (m *qemuMachine) Refusals() jail.Refusals           { return m.proc.Refusals() }
func (m *qemuMachine) Refused() <-chan struct{}          { return m.proc.Refused() }
func (m *qemuMachine) IOErrors() <-chan hypervisor.Event { return m.failed }

// ioFailed keeps the last such event: a guest has many requests under way.
func (m *qemuMachine) ioFailed(ev hypervisor.Event) {
	select {
	case <-m.failed:
	default:
	}
	m.failed <- ev // nobody else sends
}

// Resume lets the guest go on if it is a disk that it waits for, and not a
// debugger.
func (m *qemuMachine) Resume(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, quitWait)
	defer cancel()
	s, err := m.qmp.QueryStatus(ctx)
	switch {
	case err != nil:
		return err
	case s.State == hypervisor.StateIOError:
		return m.qmp.Cont(ctx)
	case s.State != hypervisor.StateRunning:
		return fmt.Errorf("the guest is %s", s.State)
	}
	return nil
}

// Pause implements Machine. QEMU answers once all of the guest's writes, and its
// own tables of an image, are with the kernel.
func (m *qemuMachine) Pause(ctx context.Context) (ran bool, err error) {
	s, err := m.qmp.QueryStatus(ctx)
	if err != nil || !s.Running {
		return false, err
	}
	m.paused.Store(true)
	if err = m.qmp.Stop(ctx); err != nil {
		m.paused.Store(false)
	}
	return true, err
}

// Unpause implements Machine.
func (m *qemuMachine) Unpause(ctx context.Context) error {
	m.paused.Store(false)
	return m.qmp.Cont(ctx)
}

// Worker implements Machine.
func (m *qemuMachine) Worker() (*store.Worker, *jail.Record) {
	m.workers.mu.Lock()
	defer m.workers.mu.Unlock()
	w := m.workers.state
	return &w, m.workers.record
}

// WorkerChanged implements Machine.
func (m *qemuMachine) WorkerChanged() <-chan struct{} { return m.workers.change }
