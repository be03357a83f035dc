package hypervisor

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

// RunState is QEMU's own word for what the guest is doing.
type RunState string

// The states a cell meets.
const (
	StatePrelaunch     RunState = "prelaunch" // before the first cont, and after a reset
	StateRunning       RunState = "running"
	StatePaused        RunState = "paused"
	StateDebug         RunState = "debug"          // a debugger stopped it
	StateShutdown      RunState = "shutdown"       // the guest powered off or reset, see the SHUTDOWN event
	StateGuestPanicked RunState = "guest-panicked" // pvpanic
	StateInternalError RunState = "internal-error" // KVM gave up
	StateIOError       RunState = "io-error"       // a disk gave up
)
