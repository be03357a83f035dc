package keeper

import (
	"context"
	"fmt"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/provision"
	"skep/internal/store"
)

// pressAgain is how long a guest that ignores its power button is left before
// it is pressed once more: a guest that was still booting has missed the
// first.
const pressAgain = 3 * time.Second

// watch follows a running guest to its end.
func (k *Keeper) watch(ctx context.Context, m provision.Machine) Outcome {
	var force, again <-chan time.Time
	stopping := false
	killed := "" // why we killed it
	failed := "" // what we could not do for the guest
	var disks ioPause
	var told <-chan time.Time // when refused calls are to be told of
	defer k.countRefusals(m)
	kill := func(why string) {
		if killed == "" {
			killed = why
		}
		m.Kill()
	}
	done := ctx.Done()
	for {
		select {
		case h := <-m.Events():
			switch {
			case !h.Reset && failed != "" && k.stop == nil:
				return Outcome{End: h.End, State: store.Crashed, Code: fault.HypervisorDied, Reason: failed + "; " + h.End.Detail}
			case !h.Reset:
				return k.judge(h, killed)
			}
			k.state.Resets++
			if !k.budget.spend(time.Now()) {
				out := Outcome{End: h.End, State: store.OnHold, Code: fault.GuestDied,
					Reason: fmt.Sprintf("held: the guest reset itself more than %d times within %s", k.Cell.RestartMax.Starts, k.Cell.RestartMax.Within)}
				m.Kill()
				k.drain(m)
				return out
			}
			if err := m.Reset(ctx); err != nil {
				// A hypervisor that is dying tells more when it is let die.
				failed = "the guest's reset failed: " + err.Error()
				force = time.After(time.Second)
				continue
			}
			k.setState(k.state.State, k.state.Reason)
		case <-m.Refused():
			if told == nil {
				told = time.After(tellRefused)
			}
		case <-told:
			told = nil
			k.countRefusals(m)
			k.writeState()
		case ev := <-m.IOErrors():
			disks.failed(k, ev)
		case <-disks.retry:
			disks.again(ctx, m)
		case <-disks.settled:
			disks.over(k)
		case o := <-k.commands:
			switch o.do {
			case commandStop:
				if !stopping {
					stopping, k.stop = true, &o
					k.setState(store.Stopping, disks.stopping("asked by "+o.who))
					if err := m.PowerButton(ctx); err != nil {
						k.Notify("cannot press the power button: " + err.Error())
					}
					force = time.After(k.Cell.StopTimeout)
					again = time.After(pressAgain)
				}
				o.answer(nil)
			case commandKill:
				k.stop = &o
				k.setState(store.Stopping, "killed by "+o.who)
				kill("killed by " + o.who)
				o.answer(nil)
			case commandScreenshot:
				png, err := m.Screenshot(ctx)
				o.send(answer{err: err, data: png})
			default:
				o.answer(nil)
			}
		case <-again:
			_ = m.PowerButton(ctx)
			again = time.After(pressAgain)
		case <-force:
			why := fmt.Sprintf("the guest did not power off within %s", k.Cell.StopTimeout)
			if disks.reason != "" {
				why += "; it was paused: " + disks.reason
			}
			kill(why)
		case <-done:
			done = nil
			if k.stop == nil {
				k.stop = &command{do: commandKill, who: "the keeper's own end"}
			}
			kill("the keeper was told to end")
		}
	}
}

// drain waits, within a bound, for the end of a hypervisor that was killed.
func (k *Keeper) drain(m provision.Machine) {
	t := time.NewTimer(10 * time.Second)
	defer t.Stop()
	for {
		select {
		case h := <-m.Events():
			if !h.Reset {
				return
			}
		case <-t.C:
			return
		}
	}
}

// judge turns an end into an outcome.
func (k *Keeper) judge(h provision.Event, killed string) Outcome {
	out := Outcome{End: h.End, State: store.Stopped}
	out.Reason = h.End.Detail
	switch {
	case killed != "":
		out.End.Kind = hypervisor.EndKilled
		out.Code, out.Reason = fault.Stopped, killed
	case k.stop != nil && h.End.Kind == hypervisor.EndPowerOff:
		out.Code, out.Reason = fault.Stopped, "the guest powered off, asked by "+k.stop.who
	case k.stop != nil && h.End.Kind == hypervisor.EndKilled:
		// By the power button itself: what it is to bhyve, a guest without ACPI
		// does not survive.
		out.Code = fault.Stopped
	case h.End.Kind == hypervisor.EndPowerOff:
		out.Code = fault.OK
	case h.End.Kind.GuestDied():
		out.State, out.Code = store.Crashed, fault.GuestDied
	case h.End.Kind == hypervisor.EndInternalError && k.trusted():
		// KVM has been seen to run this very guest, so it is the guest's doing:
		// a software KVM stops so at a triple fault.
		out.State, out.Code = store.Crashed, fault.GuestDied
		out.Reason += "; KVM runs the built-in guest, so this is what the guest did"
	case h.End.Kind == hypervisor.EndInternalError:
		out.State, out.Code = store.Crashed, fault.HypervisorDied
		// Nothing is lost by starting over: no disk was written, and KVM was our
		// choice and not the cell file's.
		out.retryTCG = h.Untouched && k.Cell.Accel == cell.AccelAuto
	default:
		out.State, out.Code = store.Crashed, fault.HypervisorDied
	}
	return out
}

// trusted says whether KVM was seen to run just what this cell boots.
func (k *Keeper) trusted() bool {
	return k.Cell.Boot.Kind == cell.BootHello && k.Facts.Linux != nil && k.Facts.Linux.KVM.Works
}
