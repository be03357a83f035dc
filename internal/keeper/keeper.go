// Package keeper holds one running cell: it acquires the resources of the plan,
// watches the hypervisor, and lets go of everything again.
//
// A cell is in one of seven states.
//
//	            up, run                 guest runs
//	stopped ──────────────▶ starting ──────────────▶ running ◀─┐ reset
//	   ▲ ▲                     │  ▲                   │  │ └─────┘
//	   │ │      cannot start   │  │ back-off is over  │  │ down, a signal
//	   │ └─────────────────────┘  │                   │  ▼
//	   │                       crashed ◀──────────────┘ stopping
//	   │                          │    guest or           │
//	   │                          │    hypervisor died    │
//	   │  restart = "never"       │                       │ powered off,
//	   ├──────────────────────────┤                       │ or forced
//	   │                          ▼ budget is spent       │
//	   │                        held                      │
//	   └──────────────────────────────────────────────────┘
//
// starting: resources are being acquired, each written to the journal first. What
// cannot be acquired sends the cell back to stopped with everything released.
//
// running: the guest's own reset stays in this state, in the same process and
// the same rootfs, and counts against the restart budget, so that a guest that
// resets in a loop ends in held and not in a spin.
//
// paused, out of running and back, is not drawn: the host could not write or read
// a disk, and QEMU has paused the guest. It is let go on every two seconds.
//
// stopping: the ACPI power button was pressed; after stop_timeout the
// hypervisor is killed.
//
// crashed: the guest died (triple fault, panic) or the hypervisor did. All
// resources are released. With restart = "on-crash" or "always" the keeper
// stays and starts the cell again after a pause that doubles each time. A start
// that fails then, or while the host boots, counts as one more: what it lacks,
// such as a bridge, may be there a moment later.
//
// held: it crashed, reset or failed to start too often. The reason is kept, and
// so are the last lines of console and hypervisor; `skep up` clears it.
//
// The hypervisor's life does not hang on the keeper's: should the keeper die,
// the guest goes on, and whoever comes next finds the journal, the listening
// sockets and the process.
package keeper

import (
	"context"
	"fmt"
	"os"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/hypervisor"
	"skep/internal/process"
	"skep/internal/provision"
	"skep/internal/store"
)

// Config says what a keeper keeps and who listens.
type Config struct {
	Cell  *cell.Cell
	Facts host.Facts // the slots that are taken are read anew
	Store *store.Store
	// Foreground: the cell belongs to a terminal. Its end is the end: nothing
	// is restarted after a crash or a power-off.
	Foreground bool
	// Boot: the host is booting. A start that fails is tried again within the
	// restart budget, whatever the cell's restart says of its ends.
	Boot bool
	// Notify takes one line for a person; nil drops it.
	Notify func(line string)
	// Prepared is called once the rootfs is closed and before the guest's first
	// instruction, so that whoever wants to see all of the console can connect.
	// nil is nothing.
	Prepared func(consoleSocket string) error
	// Running is called each time the guest has begun to run. nil is nothing.
	Running func()
	// Waiting is called where a start has failed and is tried again after a
	// pause. nil is nothing.
	Waiting func(err error, pause time.Duration)
}

// Outcome is how a cell's run ended.
type Outcome struct {
	End   hypervisor.End
	State store.Phase // stopped, crashed or held
	Code  fault.Code
	// Reason is one line for a person.
	Reason string

	retryTCG bool // KVM failed where emulation may not
}

// Keeper keeps one cell. It is made with New and used once.
type Keeper struct {
	Config
	commands chan command
	finished chan struct{} // closed when everything is released
	outcome  Outcome       // valid once finished is closed

	lock        *store.Lock
	journal     *store.Journal
	provisioner provision.Provisioner
	state       store.State
	budget      budget
	server      *server
	stop        *command // the command that ended the cell, if one did
	clean       bool     // the last life has released all that the journal names but for the control socket
	ran         bool     // the guest has run, in this life or an earlier one
	// emulated says why the guest runs under TCG though KVM was asked for; "" where it does not.
	emulated string
}

// New makes a keeper. Nothing is touched before Run.
func New(cfg Config) *Keeper {
	if cfg.Notify == nil {
		cfg.Notify = func(string) {}
	}
	return &Keeper{
		Config:   cfg,
		commands: make(chan command, 16),
		finished: make(chan struct{}),
		budget:   budget{max: cfg.Cell.RestartMax},
	}
}

// Run keeps the cell until it is stopped, dies for good or is held. An error
// says why it could not be started; it is a fault.Error. A cancelled context
// kills the guest.
func (k *Keeper) Run(ctx context.Context) (Outcome, error) {
	defer close(k.finished)
	name := k.Cell.Name
	lock, err := k.Store.LockCell(name)
	if err != nil {
		return Outcome{}, err
	}
	k.lock = lock
	defer k.lock.Unlock()
	if orphaned(k.Store, name) {
		return Outcome{}, fault.New(fault.Busy, "skep ps adopts it; skep down "+name+" ends it", "start %s: it is already running, and its keeper has died", name)
	}
	swept, err := sweepOne(ctx, k.Store, name)
	if swept.Torn {
		k.Notify("the last line of the journal of an earlier run is not whole; what it says before is swept")
	}
	if err != nil {
		return Outcome{}, fault.Wrap(fault.Host, err, "skep sweep says more", "clear away what an earlier run of %s left", name)
	}
	k.state = store.State{Version: store.StateVersion, Name: name, File: k.Cell.File, KeeperPID: os.Getpid(), Boot: process.BootID(), UID: -1, GID: -1}
	return k.lives(ctx, k.once)
}

// Adopt takes over a guest whose keeper has died, and keeps it from there on as
// Run would. One that cannot be adopted is ended cleanly, and the error says
// so.
func (k *Keeper) Adopt(ctx context.Context) (Outcome, error) {
	defer close(k.finished)
	name := k.Cell.Name
	lock, err := k.Store.LockCell(name)
	if err != nil {
		return Outcome{}, err
	}
	k.lock = lock
	defer k.lock.Unlock()
	return k.lives(ctx, k.adopted)
}

// lives takes the cell through one life after another; the first may be one
// that another keeper began.
func (k *Keeper) lives(ctx context.Context, life func(context.Context) (Outcome, error)) (Outcome, error) {
	for ; ; life = k.once {
		out, err := life(ctx)
		if err != nil && !k.patient(ctx) {
			k.finish(store.Stopped, err.Error(), fault.CodeOf(err))
			return Outcome{State: store.Stopped, Code: fault.CodeOf(err), Reason: err.Error()}, err
		}
		if err != nil {
			out = Outcome{State: store.Crashed, Code: fault.CodeOf(err), Reason: err.Error()}
		}
		again, pause := k.next(&out, err != nil)
		if !again {
			k.outcome = out
			k.finish(out.State, out.Reason, out.Code)
			return out, nil
		}
		if err != nil && k.Waiting != nil {
			k.Waiting(err, pause)
		}
		if !k.wait(ctx, pause, out) {
			k.outcome = Outcome{End: out.End, State: store.Stopped, Code: fault.Stopped, Reason: "stopped while waiting to be restarted after: " + out.Reason}
			k.finish(store.Stopped, k.outcome.Reason, fault.Stopped)
			return k.outcome, nil
		}
	}
}

// patient says whether a start that has failed is tried again. Without a
// control socket nobody could call it off, and nothing but a mistake keeps a
// cell from having one.
func (k *Keeper) patient(ctx context.Context) bool {
	switch {
	case k.Foreground || k.server == nil || k.stop != nil || ctx.Err() != nil:
		return false
	case k.ran:
		return k.Cell.Restart != cell.RestartNever
	}
	return k.Boot
}

// next decides what follows an end, or a failed start: whether the cell is
// started again and after which pause. It settles the outcome's state where it
// is not.
func (k *Keeper) next(out *Outcome, unstarted bool) (again bool, pause time.Duration) {
	if out.retryTCG && k.stop == nil {
		k.Notify("KVM failed on this guest before it had written to a disk; starting it again with TCG (emulation), and from now on")
		if err := provision.RememberRefused(k.Cell, k.Facts); err != nil {
			k.Notify("cannot remember that: " + err.Error())
		}
		k.emulated = "KVM failed on this guest; it was started again with TCG (emulation)"
		again := *k.Cell
		again.Accel = cell.AccelTCG
		k.Cell = &again
		return true, 0
	}
	if k.Foreground || k.stop != nil {
		return false, 0
	}
	crashed := out.State == store.Crashed
	if !unstarted && (k.Cell.Restart == cell.RestartNever || (k.Cell.Restart == cell.RestartOnCrash && !crashed)) {
		return false, 0
	}
	if out.State == store.OnHold {
		return false, 0
	}
	if !k.budget.spend(time.Now()) {
		out.State = store.OnHold
		out.Reason = fmt.Sprintf("held: ended %d times within %s, the last time: %s", k.Cell.RestartMax.Starts+1, k.Cell.RestartMax.Within, out.Reason)
		return false, 0
	}
	k.state.Restarts++
	return true, k.budget.pause()
}

// wait lets a pause go by in the state crashed, with the control socket still
// served. It is false when the cell is to stay down.
func (k *Keeper) wait(ctx context.Context, pause time.Duration, out Outcome) bool {
	if pause == 0 {
		return true
	}
	// Nothing is held meanwhile, and ps is not to show a process that is gone.
	k.state.PID, k.state.PIDStart, k.state.UID, k.state.GID, k.state.Reach, k.state.Screen = 0, 0, -1, -1, nil, ""
	k.setState(store.Crashed, out.Reason+fmt.Sprintf("; starting again in %s", pause))
	t := time.NewTimer(pause)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true
		case <-ctx.Done():
			return false
		case o := <-k.commands:
			if o.do == commandStop || o.do == commandKill {
				return false
			}
			o.answer(fault.New(fault.Host, "", "do that: %s is not running", k.Cell.Name))
		}
	}
}

// setState writes the state for everybody else. A state that cannot be written
// does not stop a guest; ps then shows the one before.
func (k *Keeper) setState(p store.Phase, reason string) {
	k.state.State, k.state.Reason, k.state.Since = p, reason, time.Now().UTC()
	k.writeState()
}

func (k *Keeper) writeState() {
	if err := k.Store.WriteState(k.state); err != nil && k.state.State == store.Running {
		k.Notify(err.Error())
	}
}

// finish writes what is remembered of the cell and removes its run directory.
func (k *Keeper) finish(p store.Phase, reason string, code fault.Code) {
	if k.server != nil {
		k.server.close()
	}
	last := ended(k.state, p, reason, k.Store.StateDir(k.Cell.Name))
	last.End, last.ExitCode = string(k.outcome.End.Kind), int(code)
	// A start that failed for want of a place to write to has said so.
	if err := k.Store.WriteLast(last); err != nil && !(p == store.Stopped && code == fault.Host) {
		k.Notify(err.Error())
	}
	if err := k.Store.RemoveRunDir(k.Cell.Name); err != nil {
		k.Notify(err.Error())
	}
}
