package keeper

import (
	"maps"
	"path/filepath"
	"time"

	"skep/internal/events"
	"skep/internal/layout"
	"skep/internal/lifecycle"
)

// Recorder is who takes pictures all the time.
const Recorder = "skep record"

// chronicle is what a keeper writes of its cell's events.
type chronicle struct {
	journal *events.Journal
	hook    *hook
	failed  bool              // somebody was told that it cannot be written
	shown   lifecycle.Publish // the last state
	refused map[string]uint64 // calls that were written about
	// watching ends what watches the console; nil before.
	watching func()
}

// openEvents begins to write, before anything is acquired. That they cannot be written does not keep a
// guest from running; somebody is told.
func (k *Keeper) openEvents(run string) {
	name := k.Cell.Name
	k.state.Run = run
	err := k.Store.MakeStateDir(name)
	if err == nil {
		var told func([]byte)
		if k.Cell.OnEvent != "" {
			k.events.hook = startHook(k.Cell.OnEvent, name, k.Log)
			told = k.events.hook.tell
		}
		dir := k.Store.StateDir(name)
		k.events.journal, err = events.OpenJournal(filepath.Join(dir, layout.Events), filepath.Join(dir, layout.EventsOld), name, run, told)
	}
	k.eventFailed(err)
}

// newRun names a run by its moment.
func newRun() string { return time.Now().UTC().Format("20060102T150405.000Z") }

// event writes one.
func (k *Keeper) event(e events.Event) {
	if e.PID == 0 {
		e.PID = k.state.PID
	}
	k.eventFailed(k.events.journal.Append(e))
}

func (k *Keeper) eventFailed(err error) {
	if err != nil && !k.events.failed {
		k.events.failed = true
		k.Notify("cannot write the events of " + k.Cell.Name + ": " + err.Error())
	}
}

// eventOf writes what the machine is about to hear of.
func (k *Keeper) eventOf(e lifecycle.Event, c *command) {
	switch {
	case c == nil || c.do == commandStatus:
	case c.do == commandScreenshot && c.who == Recorder: // one each second; what it keeps is told
	case c.do == commandMade:
		k.event(events.Event{Kind: events.File, Who: c.who, File: c.tag, SHA256: c.sum})
	default:
		k.event(events.Event{Kind: events.Command, Who: c.who, Reason: string(c.do)})
	}
	switch e := e.(type) {
	case lifecycle.GuestReset:
		k.event(events.Event{Kind: events.Reset})
	case lifecycle.DiskFailed:
		k.event(events.Event{Kind: events.Disk, Reason: e.Reason})
	}
}

// eventState writes a state that differs from the last one.
func (k *Keeper) eventState(p lifecycle.Phase, reason string) {
	now := lifecycle.Publish{Phase: p, Reason: reason}
	if now == k.events.shown {
		return
	}
	k.events.shown = now
	k.event(events.Event{Kind: events.State, State: string(p), Reason: reason})
}

// eventRefusals writes which calls were refused since the last time.
func (k *Keeper) eventRefusals() {
	if k.state.Refused == nil {
		return
	}
	more := map[string]uint64{}
	for call, n := range k.state.Refused.Run {
		if n > k.events.refused[call] {
			more[call] = n - k.events.refused[call]
		}
	}
	k.events.refused = maps.Clone(k.state.Refused.Run)
	if len(more) > 0 {
		k.event(events.Event{Kind: events.Refused, Calls: more})
	}
}

// endEvents writes the end, and lets the program of on_event hear of it, within a bound.
func (k *Keeper) endEvents(out Outcome) {
	k.endEvidence()
	status := int(out.Code)
	k.event(events.Event{Kind: events.End, State: string(out.State), Reason: out.Reason, Status: &status})
	k.eventFailed(k.events.journal.Close())
	k.events.hook.end()
}

// viewer is somebody who looks at the screen.
func (e env) Viewer(from string) { e.k.event(events.Event{Kind: events.Viewer, Reason: from}) }

// Noted implements provision.Env: a keeper in the background has nobody who reads what it says.
func (e env) Noted(line string) {
	e.k.Notify(line)
	_ = e.k.events.journal.Append(events.Event{Kind: events.Note, Reason: line}) // that it cannot be written, others say
}
