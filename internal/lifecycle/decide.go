package lifecycle

import (
	"fmt"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
)

// decide says what follows a life that is over, or a start that has failed: whether the cell is started
// again, and after which pause.
func (s State) decide(at time.Time) (State, []Action) {
	if s.start != nil {
		err := s.start.Err
		s.Out = Outcome{State: Crashed, Code: fault.CodeOf(err), Reason: err.Error()}
		if !s.patient() {
			s.Out.State, s.Err = Stopped, err
			return s.finish()
		}
	}
	switch {
	case s.retry && s.Stop == nil:
		s.Emulated = "KVM failed on this guest; it was started again with TCG (emulation)"
		s.Policy.MayEmulate = false
		s, actions := s.begin()
		return s, append([]Action{Emulate{}}, actions...)
	case s.Policy.Foreground || s.Stop != nil && !s.lateStop, !s.again():
		return s.finish()
	case s.lateStop:
		return s.endPause()
	}
	if !s.budget.spend(at) {
		s.Out.State = Held
		s.Out.Reason = fmt.Sprintf(
			"held: ended %d times within %s, the last time: %s",
			s.Policy.Max.Starts+1,
			s.Policy.Max.Within,
			s.Out.Reason,
		)
		return s.finish()
	}
	s.Restarts++
	pause := s.budget.pause()
	s.Phase = Crashed
	actions := []Action{
		s.publish(Crashed, s.Out.Reason+fmt.Sprintf("; starting again in %s", pause)),
		SetTimer{TimerPause, pause},
	}
	if s.start != nil {
		actions = append([]Action{Report{s.start.Err, pause}}, actions...)
	}
	return s, actions
}

// brokenInto is what follows a life in which somebody broke out of the guest: the cell is not started again
// until a person has looked.
func (s State) brokenInto(found string) (State, []Action) {
	said := "break-in: " + found
	if s.start != nil {
		s.Out, s.Err = Outcome{Reason: s.start.Err.Error()}, s.start.Err
	}
	why := said
	if s.Out.Reason != "" {
		why += "; " + s.Out.Reason
	}
	s.Out.State, s.Out.Code, s.Out.Reason = Held, fault.Jail, why
	s, actions := s.finish()
	return s, append([]Action{Notify{said}}, actions...)
}

// again says whether a cell is started again, the budget aside.
func (s State) again() bool {
	switch {
	case s.Out.State == Held:
		return false
	case s.start != nil:
		return true
	case s.Policy.Restart == cell.RestartOnCrash:
		return s.Out.State == Crashed
	}
	return s.Policy.Restart != cell.RestartNever
}

func (s State) finish() (State, []Action) {
	s.Phase = Stopped
	if s.Out.State == Held {
		s.Phase = Held
	}
	return s, []Action{StopTimers{}, Finish{}}
}

// judge turns an end into an outcome.
func (s State) judge(e Ended) State {
	out := Outcome{End: e.End, State: Stopped, Reason: e.End.Detail}
	kind := e.End.Kind
	switch {
	case s.failed != "" && s.Stop == nil:
		out.State, out.Code, out.Reason = Crashed, fault.HypervisorDied, s.failed+"; "+e.End.Detail
	case s.killed != "":
		out.End.Kind = hypervisor.EndKilled
		out.Code, out.Reason = s.stopCode(), s.killed
	case s.Stop != nil && kind == hypervisor.EndPowerOff:
		out.Code, out.Reason = s.stopCode(), "the guest powered off, asked by "+s.Stop.Who
	case s.Stop != nil && kind == hypervisor.EndKilled:
		// By the power button itself: what it is to bhyve, a guest without ACPI does not survive.
		out.Code = s.stopCode()
		if s.timeUp {
			out.Reason += "; its time limit was over"
		}
	case kind == hypervisor.EndPowerOff:
		out.Code = fault.OK
	case kind.GuestDied():
		out.State, out.Code = Crashed, fault.GuestDied
	case kind == hypervisor.EndInternalError && s.Policy.KVMTrusted:
		// KVM has been seen to run this very guest, so it is the guest's doing: a software KVM stops so
		// at a triple fault.
		out.State, out.Code = Crashed, fault.GuestDied
		out.Reason += "; KVM runs the built-in guest, so this is what the guest did"
	case kind == hypervisor.EndInternalError:
		out.State, out.Code = Crashed, fault.HypervisorDied
		// Nothing is lost by starting over: no disk was written.
		s.retry = e.Untouched && s.Policy.MayEmulate
	default:
		out.State, out.Code = Crashed, fault.HypervisorDied
	}
	s.Out = out
	return s
}
