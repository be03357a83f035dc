package keeper

import (
	"context"
	"errors"
	"os"

	"skep/internal/fault"
	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/provision"
	"skep/internal/store"
)

// DryRun acquires the resources of the cell as Run does, in the same order and into the same journal,
// and then leaves the stage to act instead of starting the hypervisor. change may change who plays the
// hypervisor. All is released when act returns.
func (k *Keeper) DryRun(ctx context.Context, change func(*plan.Plan), act func(context.Context, provision.Fixture) error) (err error) {
	defer close(k.finished)
	name := k.Cell.Name
	lock, err := k.Store.LockCell(name)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if err := sweepLocked(ctx, k.Store, name); err != nil {
		return fault.Wrap(fault.Host, err, "skep sweep says more", "clear away what an earlier run of %s left", name)
	}
	k.state = store.State{Version: store.StateVersion, Name: name, KeeperPID: os.Getpid(), Boot: process.BootID(), UID: -1, GID: -1}
	defer func() {
		rerr := k.releaseAll(k.life.held)
		if rerr == nil {
			rerr = k.Store.RemoveRunDir(name)
		}
		err = errors.Join(err, rerr)
		if k.life.journal != nil {
			k.life.journal.Close()
		}
	}()
	if err := k.openJournal(); err != nil {
		return err
	}
	p, err := k.planAndSlot(ctx)
	if err != nil {
		return err
	}
	change(p)
	var last plan.Resource
	for _, r := range p.Resources[len(k.life.held):] {
		// The screen needs a hypervisor that knows what a screen is, the control socket and the one for
		// other users a keeper that takes commands, a worker a hypervisor to speak with.
		switch r.Spec.(type) {
		case *plan.Hypervisor, *plan.Bhyve:
			last = r
			continue
		case *plan.Screen, *plan.Relay, *plan.Access:
			continue
		case *plan.Worker:
			// Whoever is put in its place may be in a jail that has a name.
			if err := k.life.journal.Append(store.Entry{Step: store.Taking, Resource: &r}); err != nil {
				return fault.Wrap(fault.Host, err, "", "acquire %s", r.ID)
			}
			k.life.held = append(k.life.held, acquired{r, store.Held{}})
			continue
		}
		if r.ID == controlSocket {
			continue
		}
		if err := k.acquireOne(ctx, r); err != nil {
			return err
		}
	}
	if last.Spec == nil {
		return errors.New("the plan has no hypervisor")
	}
	return k.life.provisioner.Fixture(ctx, last, func(h store.Held) error {
		if err := k.life.journal.Append(store.Entry{Step: store.Taking, Resource: &last}); err != nil {
			return err
		}
		return k.life.journal.Append(store.Entry{Step: store.Taken, ID: last.ID, Held: &h})
	}, act)
}
