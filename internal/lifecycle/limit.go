package lifecycle

import (
	"slices"

	"skep/internal/fault"
)

// startLimit has the time limit run from the first instruction of the cell's first life.
func (s *State) startLimit() []Action {
	if s.timed || s.Policy.TimeLimit == 0 {
		return nil
	}
	s.timed = true
	return []Action{SetTimer{TimerLimit, s.Policy.TimeLimit}}
}

// limitReached is a stop that nobody waits for an answer to. A stop that was asked for before stays
// what it is.
func (s State) limitReached() (State, []Action) {
	if s.Stop != nil || s.settled || s.Over() {
		return s, nil
	}
	s.timeUp = true
	s, actions := Next(s, StopAsked{Who: "its time limit"})
	return s, slices.DeleteFunc(actions, func(a Action) bool { _, answer := a.(Answer); return answer })
}

// stopCode is the exit status of a cell that was asked to stop.
func (s State) stopCode() fault.Code {
	if s.timeUp {
		return fault.TimeLimit
	}
	return fault.Stopped
}
