package provision

import (
	"context"
	"errors"
	"io"
	"os"

	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/plan"
	"skep/internal/store"
)

// A Fixture is a cell whose resources are all acquired but for the hypervisor: what would be started
// now, and with what.
type Fixture struct {
	Plan *plan.Plan
	Spec linuxjail.Spec
	// Bound is what the keeper limits the hypervisor to once the guest is prepared.
	Bound jail.Limit
	// Worker is the jail of a worker, with that socket to its keeper; nil where there is none.
	Worker func(keeper *os.File) (linuxjail.Spec, error)
	// TPM is the jail of the guest's TPM, with that socket to the hypervisor and that state; nil where there is none.
	TPM func(peer, state *os.File) (linuxjail.Spec, error)
	// Started writes a process that was started here into the journal, so that a sweep ends it should
	// this one die. It may be called again for the next one.
	Started func(*linuxjail.Process) error
}

// Fixture has the spec made as for the hypervisor itself.
func (t *linuxProvisioner) Fixture(ctx context.Context, last plan.Resource, started func(store.Held) error, act func(context.Context, Fixture) error) error {
	t.logs.unread.Store(true)
	hypervisor, ok := last.Spec.(*plan.Hypervisor)
	if !ok {
		return errors.New("the plan has no hypervisor")
	}
	spec, err := t.jailSpec(hypervisor)
	if err != nil {
		return err
	}
	defer t.drop("cgroup")
	for _, c := range spec.Root.Copies {
		defer c.From.Close()
	}
	bound, err := fileBound(t.plan, spec.FDs, t.cell.Jail.Limits.Disk, t.cell.Memory)
	if err != nil {
		return err
	}
	words, err := t.acquireStderr()
	if err != nil {
		return err
	}
	spec.Stderr = words.w
	go func() { _, _ = io.Copy(io.Discard, words.r) }()
	defer func() { words.w.Close(); words.r.Close() }()
	of := func(keeper *os.File) (linuxjail.Spec, error) {
		return workerSpec(planWorker(t.plan), t.plan.Layers, keeper, t.files["hypervisor-log"])
	}
	var tpm func(peer, state *os.File) (linuxjail.Spec, error)
	for _, s := range plan.Specs[*plan.TPM](t.plan) {
		tpm = func(peer, state *os.File) (linuxjail.Spec, error) {
			return tpmSpec(s, t.plan.Layers, peer, state, t.files["hypervisor-log"])
		}
	}
	return act(ctx, Fixture{Plan: t.plan, Spec: spec, Bound: bound, Worker: of, TPM: tpm, Started: func(proc *linuxjail.Process) error {
		return started(store.Held{PID: proc.Pid(), Start: proc.StartTime()})
	}})
}
