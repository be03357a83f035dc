package lifecycle

import (
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
)

// Phase is the state that a cell is in.
type Phase string

// The phases. Resetting and Releasing are never published.
const (
	Stopped   Phase = "stopped"
	Starting  Phase = "starting"
	Running   Phase = "running"
	Paused    Phase = "paused" // a disk failed the guest, which waits; or somebody has paused it
	Resetting Phase = "resetting"
	Stopping  Phase = "stopping"
	Releasing Phase = "releasing"
	Crashed   Phase = "crashed"
	Held      Phase = "held"
)

// Policy is what decides between two ways to go on. It does not change during a life.
type Policy struct {
	Restart     cell.Restart
	Max         cell.RestartMax
	StopTimeout time.Duration
	// TimeLimit is how long the cell may run from its first instruction on, 0 for ever.
	TimeLimit time.Duration
	// Foreground: the cell belongs to a terminal. Its end is the end.
	Foreground bool
	// Boot: the host is booting. A start that fails is tried again, whatever Restart says.
	Boot bool
	// MayEmulate: KVM was our choice and not the cell file's, so it may be exchanged for emulation.
	MayEmulate bool
	// KVMTrusted: KVM was seen to run just what this cell boots.
	KVMTrusted bool
}

// Outcome is how a cell's run ended.
type Outcome struct {
	End   hypervisor.End
	State Phase // Stopped, Crashed or Held
	Code  fault.Code
	// Reason is one line for a person.
	Reason string
}

// State is everything that the next step depends on.
type State struct {
	Phase    Phase
	Policy   Policy
	Restarts int
	Resets   int
	// Stop is the command that ends the cell, if one was given.
	Stop *Stop
	// Out is how the last life ended, and once the cell is stopped or held how all of it did. Err is set
	// where it could not be started.
	Out Outcome
	Err error
	// Emulated says why the guest runs with emulation though KVM was asked for.
	Emulated string

	budget   budget
	ran      bool   // the guest has run, in this life or an earlier one
	settled  bool   // Out is settled before the end is seen
	lateStop bool   // the stop was asked for when the end had already been seen
	killed   string // why we killed it
	failed   string // what we could not do for the guest
	before   Phase  // Resetting: the phase to go back to
	shown    Publish
	disk     string  // what a disk failed the guest with, while that is paused for it
	undisk   string  // the reason of its state before
	pauses   []pause // those who have the guest paused
	unpaused string  // the reason of its state before the first of them
	timed    bool    // the time limit is running
	timeUp   bool    // and was what stopped it
	retry    bool    // KVM failed where emulation may not
	start    *StartFailed
}

// Stop is a command to end a cell.
type Stop struct {
	Who string // for the reason: "skep down", "SIGTERM"
	// Now: at once, and not by the power button.
	Now bool
}

// New is a cell that is not started yet.
func New(p Policy) State {
	return State{Phase: Stopped, Policy: p, budget: budget{max: p.Max}}
}

// Over says whether there is nothing more to come.
func (s State) Over() bool {
	return (s.Phase == Stopped || s.Phase == Held) && s.Out.State != ""
}

// Event is something that has happened.
type Event interface{ event() string }

// The events.
type (
	// Begin asks for the first life, Adopt for the rest of one that another keeper began.
	Begin struct{}
	Adopt struct{}
	// Started: all is acquired, and the guest executes. Adopted: by another keeper's doing. Suspended is who
	// had paused it until it is asked to go on, which it still is.
	Started struct {
		Adopted   bool
		Suspended string
	}
	// GivenUp: the start was given up because a stop was asked for.
	GivenUp struct{}
	// StartFailed: something could not be acquired. Final: it cannot be tried again, because nobody could
	// call that off or because the keeper itself is to end.
	StartFailed struct {
		Err   error
		Final bool
	}
	// StopAsked and KillAsked are commands to end the cell, Asked is one for anything else.
	StopAsked struct{ Who string }
	KillAsked struct{ Who string }
	Asked     struct{ Screenshot bool }
	// Cancelled: the keeper itself is to end.
	Cancelled struct{}
	// GuestReset: the guest has reset itself.
	GuestReset  struct{ At time.Time }
	ResetDone   struct{}
	ResetFailed struct{ Err error }
	// DiskFailed: the host could not write or read a disk for the guest. Stopped: the guest was paused for it,
	// so that nothing of it is lost.
	DiskFailed struct {
		Reason  string
		Stopped bool
	}
	Resumed      struct{}
	ResumeFailed struct{}
	// PauseAsked is a command to have the guest stand still until PauseDone, which has the same number, or
	// ByCommand. PauseFailed: it goes on.
	PauseAsked struct {
		Who    string
		Number int
	}
	PauseDone   struct{ Number int }
	PauseFailed struct{ Number int }
	// Ended: the hypervisor has. Untouched: the guest had not changed a disk yet.
	Ended struct {
		End       hypervisor.End
		Untouched bool
	}
	// Released: nothing of this life is held any more.
	Released struct {
		At time.Time
		// Found is what was found in its jail that no plan names, "" where nothing was: a break-in.
		Found string
	}
	// Fired: a timer has.
	Fired struct{ Timer Timer }
)

func (Begin) event() string        { return "begin" }
func (Adopt) event() string        { return "adopt" }
func (Started) event() string      { return "started" }
func (GivenUp) event() string      { return "given-up" }
func (StartFailed) event() string  { return "start-failed" }
func (StopAsked) event() string    { return "stop-asked" }
func (KillAsked) event() string    { return "kill-asked" }
func (Asked) event() string        { return "asked" }
func (Cancelled) event() string    { return "cancelled" }
func (GuestReset) event() string   { return "guest-reset" }
func (ResetDone) event() string    { return "reset-done" }
func (ResetFailed) event() string  { return "reset-failed" }
func (DiskFailed) event() string   { return "disk-failed" }
func (Resumed) event() string      { return "resumed" }
func (ResumeFailed) event() string { return "resume-failed" }
func (PauseAsked) event() string   { return "pause-asked" }
func (PauseDone) event() string    { return "pause-done" }
func (PauseFailed) event() string  { return "pause-failed" }
func (Ended) event() string        { return "ended" }
func (Released) event() string     { return "released" }
func (f Fired) event() string      { return string(f.Timer) }

// Timer is something that is waited for. Each is set anew by setting it again.
type Timer string

// The timers.
const (
	TimerPause Timer = "pause-over"  // the pause before a restart
	TimerPress Timer = "press-again" // the power button is due again
	TimerForce Timer = "force"       // the guest had its time to power off
	TimerDrain Timer = "drained"     // a killed hypervisor had its time to end
	TimerRetry Timer = "retry"       // a paused guest is to go on once more
	TimerCalm  Timer = "calm"        // and has for long enough
	// TimerLimit is the cell's time limit. It runs through all of its lives: StopTimers leaves it alone.
	TimerLimit Timer = "time-limit"
)

// Action is something that the keeper is to do.
type Action interface{ action() }

// The actions.
type (
	// Acquire has all resources acquired and the guest run. Its outcome is Started, GivenUp or StartFailed.
	Acquire struct{}
	// Readopt takes over the live guest of a dead keeper. Its outcome is Started or StartFailed.
	Readopt struct{}
	// Publish says to everybody else which state the cell is in.
	Publish struct {
		Phase  Phase
		Reason string
	}
	// Announce says that the guest has begun to run.
	Announce struct{}
	// Press presses the power button; a failure is for a person if Aloud.
	Press struct{ Aloud bool }
	Kill  struct{}
	// Reset starts the guest over. Its outcome is ResetDone or ResetFailed.
	Reset struct{}
	// Release releases what this life has acquired. Its outcome is Released.
	Release  struct{}
	SetTimer struct {
		Timer Timer
		After time.Duration
	}
	StopTimer  struct{ Timer Timer }
	StopTimers struct{}
	// Resume lets a paused guest go on. Its outcome is Resumed or ResumeFailed.
	Resume struct{}
	// Pause has the guest stand still and answers the command. Its outcome is PauseFailed, or none.
	Pause struct{ Number int }
	// Unpause lets it go on, and answers the command.
	Unpause struct{}
	// GoOn lets it go on, and answers nobody.
	GoOn struct{}
	// Notify says one line of the cell to a person.
	Notify struct{ Line string }
	// Answer answers the command that was the event.
	Answer struct{ Err error }
	// Screenshot answers it with a picture.
	Screenshot struct{}
	// Emulate has KVM remembered as failing on this guest, and emulation used from now on.
	Emulate struct{}
	// Report says that a start has failed and is tried again.
	Report struct {
		Err   error
		Pause time.Duration
	}
	// Finish writes what is remembered of the cell. Nothing follows.
	Finish struct{}
)

func (Acquire) action()    {}
func (Readopt) action()    {}
func (Publish) action()    {}
func (Announce) action()   {}
func (Press) action()      {}
func (Kill) action()       {}
func (Reset) action()      {}
func (Release) action()    {}
func (SetTimer) action()   {}
func (StopTimer) action()  {}
func (StopTimers) action() {}
func (Resume) action()     {}
func (Pause) action()      {}
func (Unpause) action()    {}
func (GoOn) action()       {}
func (Notify) action()     {}
func (Answer) action()     {}
func (Screenshot) action() {}
func (Emulate) action()    {}
func (Report) action()     {}
func (Finish) action()     {}
