package keeper

import (
	"context"
	"errors"
	"os"

	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/plan"
	"skep/internal/store"
)

// Rehearse takes the resources of the cell as Run does, in the same order and into the same journal,
// and then leaves the stage to act instead of starting the hypervisor. cast may change who plays the
// hypervisor. All is released when act returns.
func (k *Keeper) Rehearse(ctx context.Context, cast func(*plan.Plan), act func(context.Context, Stage) error) (err error) {
	defer close(k.finished)
	name := k.Cell.Name
	if k.lock, err = k.Store.LockCell(name); err != nil {
		return err
	}
	defer k.lock.Unlock()
	if err := sweepLocked(ctx, k.Store, name); err != nil {
		return fault.Wrap(fault.Host, err, "skep sweep says more", "clear away what an earlier run of %s left", name)
	}
	k.state = store.State{Version: store.StateVersion, Name: name, KeeperPID: os.Getpid(), Boot: bootID(), UID: -1, GID: -1}
	if err := k.Store.MakeStateDir(name); err != nil {
		return err
	}
	if k.journal, err = k.Store.OpenJournal(name); err != nil {
		return fault.Wrap(fault.Host, err, "", "keep a journal of %s", name)
	}
	defer k.journal.Close()
	if err := k.journal.Append(store.Entry{Boot: bootID()}); err != nil {
		return fault.Wrap(fault.Host, err, "", "keep a journal of %s", name)
	}
	held := []taken{}
	defer func() {
		rerr := k.releaseAll(held)
		if rerr == nil {
			rerr = k.Store.RemoveRunDir(name)
		}
		err = errors.Join(err, rerr)
	}()
	p, err := k.planAndSlot(ctx, &held)
	if err != nil {
		return err
	}
	cast(p)
	var last plan.Resource
	for _, r := range p.Resources[len(held):] {
		// The screen needs a hypervisor that knows what a screen is, the control socket a keeper that
		// takes orders.
		switch r.Spec.(type) {
		case *plan.Hypervisor:
			last = r
			continue
		case *plan.Screen:
			continue
		}
		if r.ID == controlSocket {
			continue
		}
		if err := k.takeOne(ctx, r, &held); err != nil {
			return err
		}
	}
	return k.perform(ctx, p, last, act)
}

// perform has the spec made as for the hypervisor itself.
func (k *Keeper) perform(ctx context.Context, p *plan.Plan, last plan.Resource, act func(context.Context, Stage) error) error {
	hypervisor, ok := last.Spec.(*plan.Hypervisor)
	if !ok {
		return errors.New("the plan has no hypervisor")
	}
	t := k.taker.(*linuxTaker)
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
	words, err := t.takeStderr()
	if err != nil {
		return err
	}
	spec.Stderr = words.w
	defer func() { words.w.Close(); <-words.done }()
	return act(ctx, Stage{Plan: p, Spec: spec, Bound: bound, Started: func(proc *jail.Process) error {
		h := store.Held{PID: proc.Pid(), Start: proc.StartTime()}
		if err := k.journal.Append(store.Entry{Step: store.Taking, Resource: &last}); err != nil {
			return err
		}
		return k.journal.Append(store.Entry{Step: store.Taken, ID: last.ID, Held: &h})
	}})
}
