package lifecycle

import "slices"

// standstill is what becomes of a guest that somebody wants to stand still for a
// while, so that nothing writes to its disks. It goes on with the last of them.
func (s State) standstill(e Event) (State, []Action) {
	switch e := e.(type) {
	case PauseAsked:
		if s.Stop != nil || s.settled {
			return s, []Action{Answer{Err: ErrNotRunning}}
		}
		first := len(s.pauses) == 0
		s.pauses = append(slices.Clone(s.pauses), e.Number)
		actions := []Action{Pause{e.Number}}
		if first {
			s.unpaused = s.shown.Reason
			if s.Phase == Running {
				s.Phase = Paused
				actions = append(actions, s.publish(Paused, "by "+e.Who))
			}
		}
		return s, actions
	case PauseDone:
		if !slices.Contains(s.pauses, e.Number) {
			return s, []Action{Answer{Err: ErrNotRunning}} // it was of an earlier life
		}
		s, more := s.without(e.Number)
		if len(s.pauses) > 0 {
			return s, []Action{Answer{}}
		}
		return s, append([]Action{Unpause{}}, more...)
	case PauseFailed:
		return s.without(e.Number)
	}
	return s, nil
}

// without is the state without one of those who have the guest paused.
func (s State) without(number int) (State, []Action) {
	s.pauses = slices.DeleteFunc(slices.Clone(s.pauses), func(n int) bool { return n == number })
	if len(s.pauses) > 0 || s.Phase != Paused || s.disk != "" {
		return s, nil
	}
	s.Phase = Running
	return s, []Action{s.publish(Running, s.unpaused)}
}
