package lifecycle

import (
	"errors"
	"slices"
)

// ByCommand is the number of the pause that somebody has asked for and that lasts until it is asked to end:
// no connection holds it, and there is one of it at most.
const ByCommand = 0

// ErrOtherPause: the guest is paused for another reason than a command, and goes on by itself.
var ErrOtherPause = errors.New("it is paused, though not by skep pause, and goes on by itself")

// pause is one that wants the guest to stand still.
type pause struct {
	number int
	who    string
}

// SuspendedBy is who has the guest paused until somebody asks for it to go on, "" where nobody has.
func (s State) SuspendedBy() string {
	for _, p := range s.pauses {
		if p.number == ByCommand && s.Phase == Paused {
			return p.who
		}
	}
	return ""
}

func (s State) pausing(number int) bool {
	return slices.ContainsFunc(s.pauses, func(p pause) bool { return p.number == number })
}

// standstill is what becomes of a guest that somebody wants to stand still, for a while so that nothing
// writes to its disks, or until it is asked to go on. It goes on with the last of them.
func (s State) standstill(e Event) (State, []Action) {
	switch e := e.(type) {
	case PauseAsked:
		return s.pauseAsked(e)
	case PauseDone:
		if !s.pausing(e.Number) {
			return s, []Action{Answer{Err: s.notPaused(e.Number)}}
		}
		s, actions := s.without(e.Number)
		if len(s.pauses) > 0 {
			return s, append(actions, Answer{})
		}
		return s, append(actions, Unpause{})
	case PauseFailed:
		return s.without(e.Number)
	}
	return s, nil
}

func (s State) pauseAsked(e PauseAsked) (State, []Action) {
	switch {
	case s.Stop != nil || s.settled:
		return s, []Action{Answer{Err: ErrNotRunning}}
	case s.pausing(e.Number): // by the same command, a second time
		return s, []Action{Answer{}}
	}
	if len(s.pauses) == 0 {
		s.unpaused = s.shown.Reason
	}
	s.pauses = append(slices.Clone(s.pauses), pause{e.Number, e.Who})
	if s.disk != "" {
		return s, []Action{s.shown, Pause{e.Number}} // published again: whether it is suspended has changed
	}
	s.Phase = Paused
	return s, []Action{s.publish(Paused, "by "+s.pausedBy()), Pause{e.Number}}
}

// pausedBy is who is named: whoever has the guest paused for good, or else the first.
func (s State) pausedBy() string {
	for _, p := range s.pauses {
		if p.number == ByCommand {
			return p.who
		}
	}
	return s.pauses[0].who
}

// notPaused is why there is nothing to end of a pause: it was of an earlier life, or the guest runs.
func (s State) notPaused(number int) error {
	switch {
	case number != ByCommand || s.Stop != nil:
		return ErrNotRunning
	case s.Phase == Paused:
		return ErrOtherPause
	}
	return nil
}

// without is the state without one of those who have the guest paused.
func (s State) without(number int) (State, []Action) {
	s.pauses = slices.DeleteFunc(slices.Clone(s.pauses), func(p pause) bool { return p.number == number })
	switch {
	case s.Phase != Paused:
		return s, nil
	case s.disk != "":
		return s, []Action{s.shown}
	case len(s.pauses) > 0:
		return s, []Action{s.publish(Paused, "by "+s.pausedBy())}
	}
	s.Phase = Running
	return s, []Action{s.publish(Running, s.unpaused)}
}

// toHear has a guest that is paused by command go on, so that it hears the power button.
func (s State) toHear() (State, []Action) {
	if !s.pausing(ByCommand) {
		return s, nil
	}
	s.pauses = slices.DeleteFunc(slices.Clone(s.pauses), func(p pause) bool { return p.number == ByCommand })
	if len(s.pauses) > 0 {
		return s, nil
	}
	return s, []Action{GoOn{}}
}
