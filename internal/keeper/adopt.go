package keeper

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"skep/internal/fault"
	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/provision"
	"skep/internal/store"
)

// orphaned says whether a cell's hypervisor lives without a keeper. The caller
// holds the cell's lock, or asks only for show.
func orphaned(s *store.Store, name string) bool {
	st, _, err := s.ReadState(name)
	return err == nil && Alive(st)
}

// Alive says whether the hypervisor of a state is still that process: a number
// may be another's by now, and of an earlier boot even number and start time
// may be another's. One that was killed and that nobody has waited for is gone.
func Alive(st store.State) bool {
	return st.PID != 0 && st.Boot == process.BootID() && thisHost.lives(st.PID, st.PIDStart)
}

// Orphaned says whether a guest runs on without its keeper.
func Orphaned(s *store.Store, name string) bool { return !s.Held(name) && orphaned(s, name) }

// adopt takes over the rest of a life that another keeper began.
func (k *Keeper) adopt(ctx context.Context) error {
	name := k.Cell.Name
	ended := func(err error, what string) error {
		err = errors.Join(err, sweepLocked(ctx, k.Store, name))
		return fault.Wrap(fault.Host, err, "", "adopt %s: its %s cannot be read; it was ended", name, what)
	}
	st, _, err := k.Store.ReadDetail(name)
	if err != nil || st.Plan == nil {
		return ended(err, "state")
	}
	l, err := leftBy(k.Store, name)
	if err != nil {
		return ended(err, "journal")
	}
	if k.life.journal, err = k.Store.OpenJournal(name); err != nil {
		return fault.Wrap(fault.Host, err, "", "keep a journal of %s", name)
	}
	if err := k.rewrite(l); err != nil {
		return fault.Wrap(fault.Host, err, provision.HintFull, "keep a journal of %s", name)
	}
	if l.torn {
		k.Notify("the journal's last line is not whole and is passed over")
	}
	for _, o := range l.open {
		k.life.held = append(k.life.held, acquired{o.Resource, o.Held})
	}
	run := k.state.Run
	k.state = st
	k.state.Run = run
	k.state.KeeperPID = os.Getpid()
	k.uncounted()
	k.machine.Restarts, k.machine.Resets = st.Restarts, st.Resets
	if !st.Ends.IsZero() {
		k.machine.Policy.TimeLimit = max(time.Until(st.Ends), time.Millisecond)
	}
	k.life.provisioner = k.newProvisioner(st.Plan)
	if err := k.adoptAll(ctx, l.open, st); err != nil {
		return fault.Wrap(fault.Host, err, "", "adopt %s; it was ended", name)
	}
	k.state.Worker, k.state.WorkerJail = k.life.provisioner.Machine().Worker()
	if err := k.Store.WriteDetail(k.state); err != nil {
		k.Notify(err.Error())
	}
	k.life.ran = st.Suspended != "" // as the provisioner has left it: paused
	return nil
}

// adoptAll has the control socket again and the one for others, which died with the keeper that owned them, and all
// that is the provisioner's to adopt.
func (k *Keeper) adoptAll(ctx context.Context, open []store.Outstanding, st store.State) error {
	if err := k.life.provisioner.Adopt(ctx, open, st); err != nil {
		return err
	}
	for _, o := range open {
		var path string
		var listen func() error
		switch s := o.Resource.Spec.(type) {
		case *plan.Socket:
			if s.Name == provision.ControlSocket {
				path, listen = s.Path, func() error { return k.listen(s) }
			}
		case *plan.Access:
			path, listen = s.Path, func() error { return k.listenToOthers(s) }
		}
		if listen == nil {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := listen(); err != nil {
			return err
		}
	}
	return nil
}
