package keeper

import (
	"context"
	"errors"

	"skep/internal/jail"
	"skep/internal/plan"
	"skep/internal/store"
)

// A Fixture is a cell whose resources are all acquired but for the hypervisor: what would be started
// now, and with what.
type Fixture struct {
	Plan *plan.Plan
	Spec jail.Spec
	// Bound is what the keeper limits the hypervisor to once the guest is prepared.
	Bound jail.Limit
	// Started writes a process that was started here into the journal, so that a sweep ends it should
	// this one die. It may be called again for the next one.
	Started func(*jail.Process) error
}

// perform has the spec made as for the hypervisor itself.
func (k *Keeper) perform(ctx context.Context, p *plan.Plan, last plan.Resource, act func(context.Context, Fixture) error) error {
	hypervisor, ok := last.Spec.(*plan.Hypervisor)
	if !ok {
		return errors.New("the plan has no hypervisor")
	}
	t := k.provisioner.(*linuxProvisioner)
	spec, err := t.jailSpec(hypervisor)
	if err != nil {
		return err
	}
	defer t.drop("cgroup")
	for _, c := range spec.Root.Copies {
		defer c.From.Close()
	}
	bound, err := fileBound(p, spec.FDs)
	if err != nil {
		return err
	}
	words, err := t.acquireStderr()
	if err != nil {
		return err
	}
	spec.Stderr = words.w
	defer func() { words.w.Close(); <-words.done }()
	return act(ctx, Fixture{Plan: p, Spec: spec, Bound: bound, Started: func(proc *jail.Process) error {
		h := store.Held{PID: proc.Pid(), Start: proc.StartTime()}
		if err := k.journal.Append(store.Entry{Step: store.Taking, Resource: &last}); err != nil {
			return err
		}
		return k.journal.Append(store.Entry{Step: store.Taken, ID: last.ID, Held: &h})
	}})
}
