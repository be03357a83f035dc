package provision

import (
	"context"
	"fmt"
	"time"

	"skep/internal/hypervisor"
)

// evidence is what is known so far.
func (m *qemuMachine) evidence(events []hypervisor.Event) hypervisor.Evidence {
	ctx, cancel := context.WithTimeout(context.Background(), quitWait)
	defer cancel()
	words, triple := m.qmp.Words(ctx)
	e := hypervisor.Evidence{
		System: hypervisor.QEMU, Accel: m.accel, Ran: m.greeted, Events: events,
		TripleFault: triple, Stderr: words,
	}
	select {
	case <-m.killed:
		e.Killed = true
	default:
	}
	select {
	case <-m.exited:
		e.Gone = true
		if m.exit.Seen {
			e.Exit = &hypervisor.Exit{Status: m.exit.Code, Signal: m.exit.Signal}
		}
	default:
	}
	return e
}

// follow turns what QEMU says, and its exit, into events: any number of
// resets and one end.
func (m *qemuMachine) follow() {
	events := m.qmp.Events()
	var seen []hypervisor.Event
	for {
		var state hypervisor.RunState
		select {
		case ev, ok := <-events:
			if !ok {
				events = nil // the connection is gone; so, soon, is the process
				continue
			}
			if ev.Kind == hypervisor.EventIOError {
				m.ioFailed(ev)
				continue
			}
			seen = append(seen, ev)
			if ev.Kind == hypervisor.EventStop {
				ctx, cancel := context.WithTimeout(context.Background(), quitWait)
				if s, err := m.qmp.QueryStatus(ctx); err == nil {
					state = s.State
				}
				cancel()
			}
		case <-m.exited:
			// What it said last may still be waiting to be read.
			seen = append(seen, m.rest(events)...)
		case <-m.rejoined:
			if end, over := m.rejoin(); over {
				m.finish(end)
				return
			}
			continue
		}
		e := m.evidence(seen)
		e.State = state
		end, ok := hypervisor.Judge(e)
		if !ok {
			if len(seen) > 64 {
				seen = seen[len(seen)-64:]
			}
			continue
		}
		if (end.Kind == hypervisor.EndReset || end.Kind == hypervisor.EndTripleFault) && !e.Gone && m.biosReset() {
			seen = seen[:0]
			ctx, cancel := context.WithTimeout(context.Background(), quitWait)
			err := m.startOver(ctx)
			cancel()
			if err == nil {
				continue
			}
		}
		if end.Kind == hypervisor.EndReset && !e.Gone {
			seen = seen[:0]
			m.queue <- Event{Reset: true, End: end}
			select { // nothing happens to a guest that is to be reset
			case <-m.decided:
			case <-m.exited:
			}
			continue
		}
		m.finish(end)
		return
	}
}

// rest is what the worker has still to say of a QEMU that has ended.
func (m *qemuMachine) rest(events <-chan hypervisor.Event) (seen []hypervisor.Event) {
	if events == nil {
		return nil
	}
	late := time.After(quitWait)
	for {
		select {
		case ev, ok := <-events:
			if !ok {
				return seen
			}
			seen = append(seen, ev)
		case <-late:
			return seen
		}
	}
}

// rejoin finds out what has become of the guest while no worker was there to be told.
func (m *qemuMachine) rejoin() (end hypervisor.End, over bool) {
	ctx, cancel := context.WithTimeout(context.Background(), quitWait)
	defer cancel()
	status, err := m.qmp.QueryStatus(ctx)
	if err != nil {
		return end, false // the next worker, or the end, is on its way
	}
	switch status.State {
	case hypervisor.StateIOError:
		m.ioFailed(m.qmp.LastIOError(ctx))
	case hypervisor.StatePaused, hypervisor.StateRunning:
		_ = m.standAs(ctx, m.paused.Load())
	case hypervisor.StateDebug, hypervisor.StatePrelaunch:
	default:
		return notSeen(status.State, "while another worker was started"), true
	}
	return end, false
}

// notSeen is an end of which only the state is known that it has left QEMU in.
func notSeen(s hypervisor.RunState, when string) hypervisor.End {
	return hypervisor.End{Kind: hypervisor.EndNotSeen,
		Detail: fmt.Sprintf("the guest ended %s (QEMU: %s); whether it powered off or reset was not seen", when, s)}
}

// finish ends the process of a guest that has ended, and sends the end.
func (m *qemuMachine) finish(end hypervisor.End) {
	h := Event{End: end}
	ctx, cancel := context.WithTimeout(context.Background(), quitWait)
	defer cancel()
	select {
	case <-m.exited:
	default:
		m.ending()
		if end.Kind == hypervisor.EndInternalError {
			written, err := m.qmp.Written(ctx)
			h.Untouched = err == nil && !written
		}
		_ = m.qmp.Quit(ctx)
		select {
		case <-m.exited:
		case <-ctx.Done():
			_ = m.proc.Kill()
			<-m.exited
		}
	}
	m.queue <- h
}
