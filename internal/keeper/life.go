package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/provision"
	"skep/internal/slim"
	"skep/internal/store"
)

// controlSocket is the resource that stays until the keeper itself ends.
const controlSocket = "socket:" + provision.ControlSocket

// maxSlotTries bounds how often another slot is tried where a uid turns out to
// be in use.
const maxSlotTries = 16

// errGivenUp is a start in which somebody has asked for the cell's end.
var errGivenUp = errors.New("given up")

// acquireAll has a life's resources, in the plan's order, and lets the guest run. What it acquired stays in
// k.life until release, also where it fails.
func (k *Keeper) acquireAll(ctx context.Context) error {
	defer slim.Start()()
	if err := k.openJournal(); err != nil {
		return err
	}
	p, err := k.planAndSlot(ctx)
	if err != nil {
		return err
	}
	for _, note := range p.Notes {
		k.Notify(note)
	}
	k.state.Accel = string(p.Accel)
	rest := controlFirst(p.Resources[len(k.life.held):])
	for i, r := range rest {
		if err := k.acquireOne(ctx, r); err != nil {
			return k.mistakes(err, r.For, k.life.provisioner, rest[i+1:])
		}
		if _, asked := k.stopAsked(); asked {
			return errGivenUp
		}
	}
	return k.letRun(ctx, p)
}

// openJournal begins a life's journal.
func (k *Keeper) openJournal() error {
	if err := k.Store.MakeStateDir(k.Cell.Name); err != nil {
		return err
	}
	full := func(err error) error {
		return fault.Wrap(fault.Host, err, provision.HintFull, "keep a journal of %s", k.Cell.Name)
	}
	j, err := k.Store.OpenJournal(k.Cell.Name)
	if err != nil {
		return full(err)
	}
	k.life.journal = j
	if k.life.clean {
		// A cell that is restarted every hour for a year has one life's journal.
		if err := j.Clear(); err != nil {
			return full(err)
		}
	}
	if err := j.Append(store.Entry{Boot: process.BootID()}); err != nil {
		return full(err)
	}
	return nil
}

// letRun has the guest execute its first instruction, all being acquired.
func (k *Keeper) letRun(ctx context.Context, p *plan.Plan) error {
	m := k.life.provisioner.Machine()
	k.state.Plan, k.state.Cell, k.state.Relaxations = p, k.Cell, k.Cell.Relaxations()
	env{k}.Process(m)
	k.state.Refused = nil // an earlier life's
	k.countRefusals(m)
	if k.Prepared != nil {
		if s, ok := p.Find("socket:console"); ok {
			if err := k.Prepared(s.Spec.(*plan.Socket).Path); err != nil {
				return fault.Wrap(fault.Host, err, "", "open the console of %s", k.Cell.Name)
			}
		}
	}
	k.rememberDisks(p)
	k.beginEvidence(p)
	if err := m.Run(ctx); err != nil {
		return fault.Wrap(
			fault.HypervisorDied,
			err,
			"skep log --hypervisor "+k.Cell.Name+" shows what it said",
			"let the guest run",
		)
	}
	if err := k.Store.WriteDetail(k.state); err != nil {
		k.Notify(err.Error())
	}
	return nil
}

// release releases what a life has acquired and ends its journal. found is what it had that no plan names.
func (k *Keeper) release() (found string) {
	if k.life.live != nil {
		k.countRefusals(k.life.live)
		k.eventRefusals()
	}
	k.events.refused = nil // the next life counts anew
	err := k.releaseAll(k.life.held)
	if err != nil {
		k.Notify(err.Error())
	}
	if k.life.journal != nil {
		k.life.journal.Close()
	}
	found = strings.Join(provision.Found(k.life.provisioner), "; ")
	k.life = life{clean: err == nil}
	return found
}

// inOrder are the resources of a plan in the order in which a start acquires them.
func inOrder(all []plan.Resource) []plan.Resource {
	i := slices.IndexFunc(all, func(r plan.Resource) bool { return r.Spec.Kind() == plan.KindSlot })
	return slices.Concat(all[:i+1], controlFirst(all[i+1:]))
}

// controlFirst has the control socket before all else: a start that takes its
// time, or fails and is tried again, can be called off.
func controlFirst(rest []plan.Resource) []plan.Resource {
	i := slices.IndexFunc(rest, func(r plan.Resource) bool { return r.ID == controlSocket })
	if i < 0 {
		return rest
	}
	return slices.Concat(rest[i:i+1], rest[:i], rest[i+1:])
}

// planAndSlot makes the plan and acquires its resources up to and with the slot,
// under the lock of the slots, so that no two cells get one number.
func (k *Keeper) planAndSlot(ctx context.Context) (*plan.Plan, error) {
	var p *plan.Plan
	var problems plan.Problems // with a plan, that is for a larger host
	facts := k.Facts
	var err error
	if facts.MACs, err = k.Store.MACs(k.Cell); err == nil {
		err = k.Store.RememberMACs(k.Cell.Name, plan.MACs(k.Cell, facts))
	}
	if err != nil {
		return nil, asFault(err, "start %s", k.Cell.Name)
	}
	err = k.Store.WithSlots(func(inUse map[string]int) error {
		facts.Slots.Taken = inUse
		for try := 0; ; try++ {
			if p, problems = plan.Make(k.Cell.ClockAt(time.Now()), facts); len(problems) > 0 {
				return problems.Err()
			}
			if try == maxSlotTries || !thisHost.slotBusy(p) {
				break
			}
			facts.Slots.Taken[fmt.Sprintf("busy %d", p.Slot)] = p.Slot
		}
		k.life.provisioner = k.newProvisioner(p)
		for _, r := range p.Resources {
			if err := k.acquireOne(ctx, r); err != nil {
				return err
			}
			if r.Spec.Kind() == plan.KindSlot {
				break
			}
		}
		return nil
	})
	if len(problems) > 0 && p != nil {
		err = k.mistakes(problems.Err(), "", k.newProvisioner(p), p.Resources)
	}
	if err != nil {
		return nil, asFault(err, "start %s", k.Cell.Name)
	}
	return p, nil
}

// acquired is one resource that this keeper holds.
type acquired struct {
	resource plan.Resource
	held     store.Held
}

// acquireOne writes the journal, then acquires, then writes it again. What was begun
// is kept in held even where it failed: one that failed half-way must
// leave nothing either.
func (k *Keeper) acquireOne(ctx context.Context, r plan.Resource) error {
	if err := k.life.journal.Append(store.Entry{Step: store.Taking, Resource: &r}); err != nil {
		return fault.Wrap(fault.Host, err, "", "acquire %s", r.ID)
	}
	crashPoint("taking", r.ID)
	h, err := k.acquire(ctx, r)
	k.life.held = append(k.life.held, acquired{r, h})
	crashPoint("took", r.ID)
	if err != nil {
		NameHolders(k.Store, err)
		return asFault(err, "acquire %s", r.ID)
	}
	if s, ok := r.Spec.(*plan.Slot); ok {
		k.state.UID, k.state.GID = s.UID, s.GID
	}
	if err := k.life.journal.Append(store.Entry{Step: store.Taken, ID: r.ID, Held: &h}); err != nil {
		return fault.Wrap(fault.Host, err, "", "acquire %s", r.ID)
	}
	crashPoint("taken", r.ID)
	return nil
}

// acquire has the keeper listen on its own socket, and the provisioner acquire everything else.
func (k *Keeper) acquire(ctx context.Context, r plan.Resource) (store.Held, error) {
	if r.ID == controlSocket {
		return store.Held{}, k.listen(r.Spec.(*plan.Socket))
	}
	if s, ok := r.Spec.(*plan.Access); ok {
		return store.Held{}, k.listenToOthers(s)
	}
	return k.life.provisioner.Acquire(ctx, r)
}

// begun writes what a resource holds that is still being acquired.
func (k *Keeper) begun(id string, h store.Held) error {
	if err := k.life.journal.Append(store.Entry{Step: store.Begun, ID: id, Held: &h}); err != nil {
		return fault.Wrap(fault.Host, err, "", "acquire %s", id)
	}
	crashPoint("begun", id)
	return nil
}

// releaseAll releases in reverse. One that fails does not keep the others; it
// stays in the journal for a sweep.
func (k *Keeper) releaseAll(held []acquired) error {
	// Not the keeper's context: what was acquired is released even when the keeper
	// is being asked to go.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	for i := len(held) - 1; i >= 0; i-- {
		t := held[i]
		if t.resource.ID == controlSocket || t.resource.Spec.Kind() == plan.KindAccess {
			continue // commands are accepted between two lives as well; it goes last
		}
		crashPoint("releasing", t.resource.ID)
		if err := k.life.provisioner.Release(ctx, t.resource, t.held); err != nil {
			errs = append(errs, fmt.Errorf("cannot release %s: %w", t.resource.ID, err))
			continue
		}
		crashPoint("released", t.resource.ID)
		if err := k.life.journal.Append(store.Entry{Step: store.Released, ID: t.resource.ID}); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// asFault keeps a fault as it is and wraps anything else as the host's.
func asFault(err error, format string, args ...any) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	var step *jail.StepError
	if errors.As(err, &step) {
		return fault.Wrap(fault.Jail, err, "skep doctor shows what this host has", format, args...)
	}
	return fault.Wrap(fault.Host, err, "", format, args...)
}
