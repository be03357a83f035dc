package lifecycle

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
)

const (
	// pressAgain is how long a guest that ignores its power button is left before it is pressed once more:
	// a guest that was still booting has missed the first.
	pressAgain = 3 * time.Second
	// resetGrace is how long a hypervisor that could not reset the guest is left: one that is dying tells
	// more when it is let die.
	resetGrace = time.Second
	// drainWait bounds the wait for the end of a hypervisor that was killed.
	drainWait = 10 * time.Second
	// A guest of which the host could not write or read a disk is let go on every diskRetry, and is said to
	// run again once that has held for diskCalm. Most often the host's file system is full.
	diskRetry = 2 * time.Second
	diskCalm  = time.Second
)

// Errors that a command is answered with; the keeper says which cell it is.
var (
	ErrStarting   = errors.New("it is still starting")
	ErrNotRunning = errors.New("it is not running")
)

// Next is the machine: one case a state.
func Next(s State, e Event) (State, []Action) {
	if f, ok := e.(Fired); ok && f.Timer == TimerLimit {
		return s.limitReached()
	}
	switch s.Phase {
	case Stopped:
		return s.stopped(e)
	case Starting:
		return s.starting(e)
	case Running, Paused, Stopping:
		return s.alive(e)
	case Resetting:
		return s.resetting(e)
	case Releasing:
		return s.releasing(e)
	case Crashed:
		return s.crashed(e)
	}
	return s.otherwise(e, ErrNotRunning)
}

// otherwise is what an event does to which a state has nothing to say: a command is answered.
func (s State) otherwise(e Event, why error) (State, []Action) {
	switch e.(type) {
	case StopAsked, KillAsked:
		return s, []Action{Answer{}}
	case Asked, PauseAsked, PauseDone:
		return s, []Action{Answer{Err: why}}
	}
	return s, nil
}

func (s State) stopped(e Event) (State, []Action) {
	if s.Over() {
		return s.otherwise(e, ErrNotRunning)
	}
	switch e.(type) {
	case Begin:
		return s.begin()
	case Adopt:
		s.Phase = Starting
		return s, []Action{Readopt{}}
	}
	return s.otherwise(e, ErrNotRunning)
}

// begin is the start of a life.
func (s State) begin() (State, []Action) {
	s.Phase = Starting
	s.killed, s.failed, s.disk, s.pauses, s.settled, s.retry, s.start = "", "", "", nil, false, false, nil
	return s, []Action{s.publish(Starting, ""), Acquire{}}
}

func (s *State) publish(p Phase, reason string) Publish {
	s.shown = Publish{p, reason}
	return s.shown
}

func (s State) starting(e Event) (State, []Action) {
	switch e := e.(type) {
	case Started:
		return s.started(e)
	case GivenUp:
		if s.Stop != nil {
			s.Out = Outcome{State: Stopped, Code: s.stopCode(), Reason: "stopped by " + s.Stop.Who + " while starting"}
		}
		s.Phase = Releasing
		return s, []Action{Release{}}
	case StartFailed:
		s.start = &e
		s.Phase = Releasing
		return s, []Action{Release{}}
	}
	return s.noted(e, ErrStarting)
}

// noted keeps a command to stop for whoever looks at it next.
func (s State) noted(e Event, why error) (State, []Action) {
	switch e := e.(type) {
	case StopAsked:
		if s.Stop == nil {
			s.Stop = &Stop{Who: e.Who}
		}
	case KillAsked:
		s.Stop = &Stop{Who: e.Who, Now: true}
	}
	return s.otherwise(e, why)
}

func (s State) started(e Started) (State, []Action) {
	s.Phase, s.ran = Running, true
	reason := s.Emulated
	if e.Adopted {
		reason = "adopted after its keeper had died"
	}
	limit := s.startLimit()
	if e.Suspended != "" {
		s.Phase, s.unpaused, s.pauses = Paused, reason, []pause{{ByCommand, e.Suspended}}
		return s.obey(append(limit, s.publish(Paused, "by "+e.Suspended), Announce{}))
	}
	return s.obey(append(limit, s.publish(Running, reason), Announce{}))
}

// obey carries out a stop that was asked for while the guest could not be asked.
func (s State) obey(actions []Action) (State, []Action) {
	if s.Stop == nil || s.Phase == Stopping {
		return s, actions
	}
	s, more := s.end()
	return s, append(actions, more...)
}

// end begins to end the guest, as Stop says.
func (s State) end() (State, []Action) {
	s.Phase = Stopping
	if s.Stop.Now {
		why := "killed by " + s.Stop.Who
		s, kill := s.kill(why)
		return s, []Action{s.publish(Stopping, why), kill}
	}
	why := "asked by " + s.Stop.Who
	if s.disk != "" {
		s.undisk = why
		why += "; the guest is paused: " + s.disk
	}
	s, goOn := s.toHear()
	return s, slices.Concat([]Action{s.publish(Stopping, why)}, goOn, []Action{Press{Aloud: true},
		SetTimer{TimerForce, s.Policy.StopTimeout}, SetTimer{TimerPress, pressAgain}})
}

// kill remembers why, the first time.
func (s State) kill(why string) (State, Action) {
	if s.killed == "" {
		s.killed = why
	}
	return s, Kill{}
}

// alive is what happens to a guest that runs, whether it is being stopped or not.
func (s State) alive(e Event) (State, []Action) {
	switch e := e.(type) {
	case Asked:
		if e.Screenshot {
			return s, []Action{Screenshot{}}
		}
		return s, []Action{Answer{}}
	case StopAsked:
		if s.Stop != nil || s.settled {
			return s, []Action{Answer{}}
		}
		s.Stop = &Stop{Who: e.Who}
		s, actions := s.end()
		return s, append(actions, Answer{})
	case KillAsked:
		s.Stop = &Stop{Who: e.Who, Now: true}
		s, actions := s.end()
		return s, append(actions, Answer{})
	case Cancelled:
		if s.Stop == nil {
			s.Stop = &Stop{Who: "the keeper's own end", Now: true}
		}
		s.Phase = Stopping
		s, kill := s.kill("the keeper was asked to end")
		return s, []Action{kill}
	case GuestReset:
		return s.guestReset(e)
	case DiskFailed, Resumed, ResumeFailed:
		return s.paused(e)
	case PauseAsked, PauseDone, PauseFailed:
		return s.standstill(e)
	case Fired:
		return s.fired(e)
	case Ended:
		if !s.settled {
			s = s.judge(e)
		}
		s.Phase = Releasing
		return s, []Action{StopTimers{}, Release{}}
	}
	return s, nil
}

func (s State) guestReset(e GuestReset) (State, []Action) {
	if s.settled {
		return s, nil
	}
	s.Resets++
	if s.budget.spend(e.At) {
		s.before, s.Phase = s.Phase, Resetting
		return s, []Action{Reset{}}
	}
	m := s.Policy.Max
	s.settled = true
	s.Out = Outcome{End: hypervisor.End{Kind: hypervisor.EndReset}, State: Held, Code: fault.GuestDied,
		Reason: fmt.Sprintf("held: the guest reset itself more than %d times within %s", m.Starts, m.Within)}
	s.Phase = Stopping
	return s, []Action{StopTimers{}, Kill{}, SetTimer{TimerDrain, drainWait}}
}

func (s State) fired(e Fired) (State, []Action) {
	switch e.Timer {
	case TimerPress:
		return s, []Action{Press{}, SetTimer{TimerPress, pressAgain}}
	case TimerForce:
		why := fmt.Sprintf("the guest did not power off within %s", s.Policy.StopTimeout)
		if s.disk != "" {
			why += "; it was paused: " + s.disk
		}
		if s.timeUp {
			why += "; its time limit was over"
		}
		s, kill := s.kill(why)
		return s, []Action{kill}
	case TimerRetry, TimerCalm:
		if len(s.pauses) > 0 {
			return s, []Action{SetTimer{e.Timer, diskRetry}}
		}
		if e.Timer == TimerRetry {
			return s, []Action{Resume{}}
		}
		return s.goesOn()
	case TimerDrain:
		s.Phase = Releasing
		return s, []Action{StopTimers{}, Release{}}
	}
	return s, nil
}

// paused is what becomes of a guest that a disk has failed.
func (s State) paused(e Event) (State, []Action) {
	switch e := e.(type) {
	case DiskFailed:
		return s.diskFailed(e)
	case Resumed:
		// Whether the disk fails it once more, it will say.
		return s, []Action{SetTimer{TimerCalm, diskCalm}}
	}
	return s, []Action{SetTimer{TimerRetry, diskRetry}}
}

func (s State) diskFailed(e DiskFailed) (State, []Action) {
	if !e.Stopped {
		said := e.Reason + "; the guest was told"
		return s, []Action{s.publish(s.shown.Phase, said), Notify{said}}
	}
	actions := []Action{StopTimer{TimerCalm}, SetTimer{TimerRetry, diskRetry}}
	if s.disk == e.Reason {
		return s, actions
	}
	if s.disk == "" {
		s.undisk = s.shown.Reason
		if len(s.pauses) > 0 {
			s.undisk = s.unpaused
		}
	}
	s.disk = e.Reason
	if s.Phase == Stopping {
		actions = append(actions, s.publish(Stopping, s.undisk+"; the guest is paused: "+e.Reason))
	} else {
		s.Phase = Paused
		actions = append(actions, s.publish(Paused, e.Reason))
	}
	return s, append(actions, Notify{"the guest is paused: " + e.Reason + "; it goes on by itself once that is over"})
}

// goesOn is a guest whose disk has not failed it again.
func (s State) goesOn() (State, []Action) {
	if s.Phase == Paused {
		s.Phase = Running
	}
	s.disk = ""
	return s, []Action{s.publish(s.Phase, s.undisk), Notify{"the guest goes on"}}
}

func (s State) resetting(e Event) (State, []Action) {
	switch e := e.(type) {
	case ResetDone:
		s.Phase = s.before
		return s.obey([]Action{s.shown})
	case ResetFailed:
		s.failed = "the guest's reset failed: " + e.Err.Error()
		s.Phase = Stopping
		return s, []Action{SetTimer{TimerForce, resetGrace}}
	}
	return s.noted(e, ErrStarting)
}

func (s State) releasing(e Event) (State, []Action) {
	switch e := e.(type) {
	case Released:
		if e.Found != "" {
			return s.brokenInto(e.Found)
		}
		return s.decide(e.At)
	case StopAsked:
		if s.Stop == nil {
			s.Stop = &Stop{Who: e.Who}
			s.lateStop = true
		}
	case KillAsked:
		if s.Stop == nil {
			s.Stop = &Stop{Who: e.Who, Now: true}
			s.lateStop = true
		}
	}
	return s.otherwise(e, ErrNotRunning)
}

func (s State) crashed(e Event) (State, []Action) {
	switch e := e.(type) {
	case Fired:
		if e.Timer == TimerPause {
			return s.begin()
		}
	case StopAsked, KillAsked:
		s, actions := s.endPause()
		return s, append([]Action{Answer{}}, actions...)
	case Cancelled:
		return s.endPause()
	}
	return s.otherwise(e, ErrNotRunning)
}

// endPause is a stop between two lives.
func (s State) endPause() (State, []Action) {
	s.Out = Outcome{End: s.Out.End, State: Stopped, Code: s.stopCode(),
		Reason: "stopped while waiting to be restarted after: " + s.Out.Reason}
	s.Phase = Stopped
	return s, []Action{StopTimers{}, Finish{}}
}

// patient says whether a start that has failed is tried again.
func (s State) patient() bool {
	switch {
	case s.Policy.Foreground || s.start.Final || s.Stop != nil && !s.lateStop:
		return false
	case s.ran:
		return s.Policy.Restart != cell.RestartNever
	}
	return s.Policy.Boot
}
