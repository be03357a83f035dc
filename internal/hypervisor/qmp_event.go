package hypervisor

import "encoding/json"

// EventKind is the name of a QMP event that matters to a cell.
type EventKind string

// The events that are delivered. All others are dropped where they are read,
// so that a guest that sets its clock all day crowds nothing out.
const (
	EventShutdown  EventKind = "SHUTDOWN"
	EventReset     EventKind = "RESET"
	EventStop      EventKind = "STOP"
	EventResume    EventKind = "RESUME"
	EventPowerdown EventKind = "POWERDOWN"
	EventPanicked  EventKind = "GUEST_PANICKED"
	EventIOError   EventKind = "BLOCK_IO_ERROR"
	EventWatchdog  EventKind = "WATCHDOG"
)

// Reasons of SHUTDOWN and RESET events, as QEMU's ShutdownCause names them.
const (
	ReasonGuestShutdown = "guest-shutdown"
	ReasonGuestReset    = "guest-reset"
	ReasonGuestPanic    = "guest-panic"
	ReasonHostQuit      = "host-qmp-quit"
	ReasonHostReset     = "host-qmp-system-reset"
	ReasonHostSignal    = "host-signal"
	ReasonHostError     = "host-error"
)

// Event is something that happened in QEMU. Its strings are bounded and
// printable, and are for showing and comparing only.
type Event struct {
	Kind   EventKind
	Guest  bool   // the guest did it (SHUTDOWN, RESET)
	Reason string // SHUTDOWN, RESET: why; BLOCK_IO_ERROR: the error
	Node   string // BLOCK_IO_ERROR: the block node
	// Of BLOCK_IO_ERROR: the host's disk is full; it was reading; the guest waits.
	NoSpace, Read, Stopped bool
}

// decodeEvent is false for an event that nobody waits for. Data that is not as
// it should be leaves the fields empty: the kind alone still counts.
func decodeEvent(m qmpMessage) (Event, bool) {
	e := Event{Kind: EventKind(m.Event)}
	switch e.Kind {
	case EventShutdown, EventReset, EventStop, EventResume, EventPowerdown, EventPanicked, EventIOError, EventWatchdog:
	default:
		return Event{}, false
	}
	var data struct {
		Guest   bool   `json:"guest"`
		Reason  string `json:"reason"`
		Node    string `json:"node-name"`
		NoSpace bool   `json:"nospace"`
		Does    string `json:"operation"`
		Action  string `json:"action"`
	}
	if len(m.Data) > 0 && json.Unmarshal(m.Data, &data) == nil {
		e.Guest, e.NoSpace = data.Guest, data.NoSpace
		e.Read, e.Stopped = data.Does == "read", data.Action == "stop"
		e.Reason, e.Node = clean(data.Reason), clean(data.Node)
	}
	return e, true
}
