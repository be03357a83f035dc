package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"skep/internal/process"
	"skep/internal/provision"
	"skep/internal/store"
)

// Swept says what a sweep found of one cell.
type Swept struct {
	Name     string   `json:"name"`
	Released []string `json:"released,omitempty"` // IDs of resources
	Torn     bool     `json:"torn,omitempty"`     // the journal's last line was not whole
	Found    []string `json:"found,omitempty"`    // what no plan names: signs of a break-in
}

// Sweep releases what the journal of a cell names and no living keeper holds.
// A cell that a keeper holds is left alone: held is then true.
func Sweep(ctx context.Context, s *store.Store, name string) (swept Swept, held bool, err error) {
	lock, err := s.LockCell(name)
	if err != nil {
		if s.Held(name) {
			return Swept{Name: name}, true, nil
		}
		return Swept{Name: name}, false, err
	}
	defer lock.Unlock()
	swept, err = sweepOne(ctx, s, name)
	return swept, false, err
}

// sweepLocked is Sweep for whoever holds the cell's lock already.
func sweepLocked(ctx context.Context, s *store.Store, name string) error {
	_, err := sweepOne(ctx, s, name)
	return err
}

func sweepOne(ctx context.Context, s *store.Store, name string) (Swept, error) {
	out := Swept{Name: name}
	l, err := leftBy(s, name)
	out.Torn = l.torn
	if err != nil {
		// A damaged line in the middle: what was read before it is still true.
		err = fmt.Errorf("%s: %w", s.JournalPath(name), err)
	}
	st, _, _ := s.ReadState(name)
	lived := Alive(st)
	sameBoot := l.boot == process.BootID()
	t := thisHost.sweeper(sameBoot)
	var errs []error
	for i := len(l.open) - 1; i >= 0; i-- {
		o := l.open[i]
		crashPoint("sweeping", o.Resource.ID)
		if rerr := t.Release(ctx, o.Resource, o.Held); rerr != nil {
			errs = append(errs, fmt.Errorf("cannot release %s: %w", o.Resource.ID, rerr))
			continue
		}
		crashPoint("swept", o.Resource.ID)
		out.Released = append(out.Released, o.Resource.ID)
	}
	out.Found = provision.Found(t)
	if len(errs) > 0 {
		return out, errors.Join(errs...)
	}
	remember(s, st, lived, sameBoot || l.boot == "" && st.Boot == process.BootID())
	if rerr := s.RemoveRunDir(name); rerr != nil {
		return out, rerr
	}
	if l.planless {
		err = errors.Join(err, fmt.Errorf("its hypervisor was ended; what else %s held is not known: its journal and its plan are lost", name))
	}
	return out, err
}

// remember writes how the life of a cell ended whose keeper could not: without
// it the last one that did would be remembered. Where it cannot be written the
// sweep matters more.
func remember(s *store.Store, st store.State, lived, sameBoot bool) {
	if st.KeeperPID == 0 {
		return // no keeper left a state behind
	}
	reason := "its keeper had died, and its guest too or before it began"
	switch {
	case !sameBoot:
		reason = "the host went down while it ran"
	case lived:
		reason = "its keeper had died; the guest was ended by a sweep"
	}
	_ = s.WriteLast(ended(st, store.Crashed, reason, s.StateDir(st.Name)))
}

// ended is what is left of a state once nothing runs.
func ended(last store.State, p store.Phase, reason, stateDir string) store.State {
	last.State, last.Reason, last.Since = p, reason, time.Now().UTC()
	last.PID, last.PIDStart, last.KeeperPID, last.UID, last.GID, last.Reach, last.Screen = 0, 0, 0, -1, -1, nil, ""
	last.Plan, last.Cell, last.Worker, last.WorkerJail = nil, nil, nil, nil
	if p == store.Crashed || p == store.OnHold {
		last.LastConsole, last.LastWords = lastLines(stateDir)
	}
	return last
}
