package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"skep/internal/cell"
	"skep/internal/events"
	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/lifecycle"
	"skep/internal/plan"
	"skep/internal/provision"
)

// keep runs the machine from its first event until the cell is over.
func (k *Keeper) keep(ctx context.Context, first lifecycle.Event) (Outcome, error) {
	done := ctx.Done()
	for e, c := first, (*command)(nil); ; e, c = k.wait(&done) {
		k.step(ctx, e, c)
		if k.machine.Over() {
			return k.machine.Out, k.machine.Err
		}
	}
}

// wait is the next event, and the command that it is, if it is one. An end of the keeper's own context is
// one event, once.
func (k *Keeper) wait(done *<-chan struct{}) (lifecycle.Event, *command) {
	for {
		var events <-chan provision.Event
		var disks <-chan hypervisor.Event
		var refused, worker <-chan struct{}
		if m := k.life.live; m != nil {
			events, disks, refused, worker = m.Events(), m.IOErrors(), m.Refused(), m.WorkerChanged()
		}
		select {
		case e := <-events:
			if e.Reset {
				return lifecycle.GuestReset{At: time.Now()}, nil
			}
			return lifecycle.Ended{End: e.End, Untouched: e.Untouched}, nil
		case e := <-disks:
			return lifecycle.DiskFailed{Reason: ioReason(k.Cell, e), Stopped: e.Stopped}, nil
		case c := <-k.commands:
			return c.event(), &c
		case done := <-k.ending:
			k.lastAudit()
			close(done)
		case <-refused:
			if k.life.told == nil {
				k.life.told = time.After(tellRefused)
			}
		case <-worker:
			k.anotherWorker()
		case <-k.served.changed:
			k.writeState()
		case <-k.life.told:
			k.life.told = nil
			k.countRefusals(k.life.live)
			k.writeState()
			k.eventRefusals()
		case f := <-k.timers.fired:
			if k.timers.due(f) {
				return lifecycle.Fired{Timer: f.timer}, nil
			}
		case <-*done:
			*done = nil
			return lifecycle.Cancelled{}, nil
		}
	}
}

// step feeds the machine one event, carries out what it says, and feeds it what comes of that.
func (k *Keeper) step(ctx context.Context, e lifecycle.Event, c *command) {
	k.eventOf(e, c)
	for e != nil {
		var actions []lifecycle.Action
		before := k.machine.Phase
		k.machine, actions = lifecycle.Next(k.machine, e)
		k.Log.Debug("event", "event", fmt.Sprintf("%T", e), "from", before, "to", k.machine.Phase, "actions", len(actions))
		e = nil
		for _, a := range actions {
			if next := k.do(ctx, a, c); next != nil {
				e = next
			}
		}
	}
}

// do carries out one action. What comes of it, if the machine waits for that, is returned.
func (k *Keeper) do(ctx context.Context, a lifecycle.Action, c *command) lifecycle.Event {
	switch a := a.(type) {
	case lifecycle.Acquire:
		return k.started(ctx, k.acquireAll(ctx), false)
	case lifecycle.Readopt:
		return k.started(ctx, k.adopt(ctx), true)
	case lifecycle.Reset:
		if err := k.life.live.Reset(ctx); err != nil {
			return lifecycle.ResetFailed{Err: err}
		}
		return lifecycle.ResetDone{}
	case lifecycle.Release:
		found := k.release()
		return lifecycle.Released{At: time.Now(), Found: found}
	case lifecycle.Press:
		if a.Aloud {
			k.lastAudit()
		}
		if err := k.life.live.PowerButton(ctx); err != nil && a.Aloud {
			k.Notify("cannot press the power button: " + err.Error())
		}
	case lifecycle.Kill:
		k.lastAudit()
		k.life.live.Kill()
	case lifecycle.Answer:
		c.answer(k.refusal(a.Err))
	case lifecycle.Screenshot:
		k.ask(ctx, c)
	case lifecycle.SetTimer:
		if a.Timer == lifecycle.TimerLimit {
			k.state.Ends = time.Now().Add(a.After).UTC()
		}
		k.timers.set(a.Timer, a.After)
	case lifecycle.Resume:
		if k.life.live.Resume(ctx) != nil {
			return lifecycle.ResumeFailed{}
		}
		return lifecycle.Resumed{}
	case lifecycle.Pause:
		ran, err := k.life.live.Pause(ctx)
		k.life.ran = k.life.ran || ran
		c.answer(err)
		if err != nil {
			return lifecycle.PauseFailed(a)
		}
	case lifecycle.Unpause:
		var err error
		if k.life.ran {
			err = k.life.live.Unpause(ctx)
		}
		k.life.ran = false
		c.answer(err)
	case lifecycle.GoOn:
		if !k.life.ran {
			break
		}
		if err := k.life.live.Unpause(ctx); err != nil {
			k.Notify("cannot let the guest go on: " + err.Error())
		}
		k.life.ran = false
	case lifecycle.StopTimer:
		k.timers.stopOne(a.Timer)
	case lifecycle.StopTimers:
		k.timers.stop()
	default:
		k.tellOthers(a)
	}
	return nil
}

// grow makes a disk larger, and writes down the bound of the hypervisor's files, which the audit compares.
func (k *Keeper) grow(ctx context.Context, label string, size cell.Size) error {
	bound, err := k.life.live.Grow(ctx, label, size)
	if bound == 0 || k.state.Jail == nil {
		return err
	}
	k.state.Jail.Limits["fsize"] = [2]uint64{bound, bound}
	return errors.Join(err, k.Store.WriteDetail(k.state))
}

// changeMedium puts an image into a drive, and writes it down for the audit. The cell file's is back with the next
// start.
func (k *Keeper) changeMedium(ctx context.Context, label, path string) error {
	if err := k.life.live.ChangeMedium(ctx, label, path); err != nil || k.state.Plan == nil {
		return err
	}
	now := *k.state.Plan
	now.Resources = slices.Clone(now.Resources)
	for i, r := range now.Resources {
		if d, ok := r.Spec.(*plan.Disk); ok && d.Label == label {
			other := *d
			other.Path = path
			now.Resources[i].Spec = &other
		}
	}
	k.state.Plan = &now
	return k.Store.WriteDetail(k.state)
}

// tellOthers carries out what is for somebody else's eyes.
func (k *Keeper) tellOthers(a lifecycle.Action) {
	switch a := a.(type) {
	case lifecycle.Publish:
		k.publish(a.Phase, a.Reason)
	case lifecycle.Announce:
		if k.Running != nil {
			k.Running()
		}
	case lifecycle.Report:
		if k.Waiting != nil {
			k.Waiting(a.Err, a.Pause)
		}
	case lifecycle.Notify:
		k.event(events.Event{Kind: events.Note, Reason: a.Line})
		k.Notify(k.Cell.Name + ": " + a.Line)
	case lifecycle.Emulate:
		k.emulate()
	case lifecycle.Finish:
		k.timers.stopOne(lifecycle.TimerLimit)
		k.outcome = k.machine.Out
		k.finish(k.outcome)
	}
}

// started is what came of a start.
func (k *Keeper) started(ctx context.Context, err error, adopted bool) lifecycle.Event {
	switch {
	case errors.Is(err, errGivenUp):
		return lifecycle.GivenUp{}
	case err != nil:
		// Without a control socket nobody could call a second try off, and nothing but a mistake keeps a cell
		// from having one.
		return lifecycle.StartFailed{Err: err, Final: k.server == nil || ctx.Err() != nil}
	}
	k.life.live = k.life.provisioner.Machine()
	return lifecycle.Started{Adopted: adopted, Suspended: k.state.Suspended}
}

// refusal says of a command that cannot be carried out now why.
func (k *Keeper) refusal(why error) error {
	switch {
	case errors.Is(why, lifecycle.ErrStarting):
		return fault.New(fault.Host, "", "do that: %s is still starting", k.Cell.Name)
	case errors.Is(why, lifecycle.ErrOtherPause):
		return fault.New(fault.Host, "skep ps shows why", "do that: %s is paused, though not by skep pause, and goes on by itself", k.Cell.Name)
	case why != nil:
		return fault.New(fault.Host, "", "do that: %s is not running", k.Cell.Name)
	}
	return nil
}

// emulate has the guest run with TCG from the next start on.
func (k *Keeper) emulate() {
	k.Notify(
		"KVM failed on this guest before it had written to a disk; starting it again with TCG (emulation), and from now on",
	)
	if err := provision.RememberRefused(k.Cell, k.Facts); err != nil {
		k.Notify("cannot remember that: " + err.Error())
	}
	again := *k.Cell
	again.Accel = cell.AccelTCG
	k.Cell = &again
}

// stopAsked looks at the commands that came while the keeper was busy, and says whether one of them, or
// one before, asks for the cell's end.
func (k *Keeper) stopAsked() (who string, asked bool) {
	for {
		select {
		case c := <-k.commands:
			// Busy as it is, the machine has nothing done but an answer.
			k.step(context.Background(), c.event(), &c)
		default:
			if k.machine.Stop == nil {
				return "", false
			}
			return k.machine.Stop.Who, true
		}
	}
}

// timers are the machine's. One that is set again, or stopped, does not fire any more.
type timers struct {
	fired   chan firing
	running map[lifecycle.Timer]*time.Timer
	round   map[lifecycle.Timer]int
}

type firing struct {
	timer lifecycle.Timer
	round int
}

func newTimers() timers {
	return timers{
		fired:   make(chan firing, 8),
		running: map[lifecycle.Timer]*time.Timer{},
		round:   map[lifecycle.Timer]int{},
	}
}

func (t timers) set(which lifecycle.Timer, after time.Duration) {
	if old := t.running[which]; old != nil {
		old.Stop()
	}
	t.round[which]++
	f := firing{which, t.round[which]}
	t.running[which] = time.AfterFunc(after, func() { t.fired <- f })
}

// stop stops all that a life has set.
func (t timers) stop() {
	for which := range t.running {
		if which != lifecycle.TimerLimit {
			t.stopOne(which)
		}
	}
}

func (t timers) stopOne(which lifecycle.Timer) {
	if timer := t.running[which]; timer != nil {
		timer.Stop()
	}
	t.round[which]++
	delete(t.running, which)
}

// due says whether a timer that has fired was not set again or stopped meanwhile.
func (t timers) due(f firing) bool { return t.round[f.timer] == f.round }
