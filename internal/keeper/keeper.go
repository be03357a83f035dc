// Package keeper holds one running cell: it acquires the resources of the plan,
// watches the hypervisor, and lets go of everything again.
//
// What it does next, given what has happened, is decided by package lifecycle, where the states of a cell
// are drawn; this package carries it out. What is acquired and released, and how, is package provision's.
//
// The hypervisor's life does not hang on the keeper's: should the keeper die,
// the guest goes on, and whoever comes next finds the journal, the listening
// sockets and the process.
package keeper

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"skep/internal/cell"
	"skep/internal/events"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/lifecycle"
	"skep/internal/plan"
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
	// StopWithin bounds the wait for a power-off once it is asked for; 0 is the cell's stop_timeout.
	StopWithin time.Duration
	// Boot: the host is booting. A start that fails is tried again within the
	// restart budget, whatever the cell's restart says of its ends.
	Boot bool
	// Log takes what helps to understand a keeper afterwards; nil drops it.
	Log *slog.Logger
	// Notify takes one line for a person; nil drops it.
	Notify func(line string)
	// Audit looks at the live cell from outside, for its evidence, and is the report as JSON. nil is nothing.
	Audit func(store.State) (report []byte, ok bool, err error)
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
type Outcome = lifecycle.Outcome

// Keeper keeps one cell. It is made with New and used once.
type Keeper struct {
	Config
	commands chan command
	finished chan struct{} // closed when everything is released
	outcome  Outcome       // valid once finished is closed

	machine lifecycle.State
	timers  timers
	state   store.State
	server  *server
	// others is the server for other users, which stays between two lives as well; nil without one.
	others   *server
	othersAt *plan.Access
	life     life
	events   chronicle
	dumping  atomic.Bool
	served   services
	ending   chan chan struct{} // asks for the last audit; closed when that is done
}

// life is what the keeper holds from one start to the end that follows.
type life struct {
	journal     *store.Journal
	provisioner provision.Provisioner
	held        []acquired
	live        provision.Machine // nil until the guest runs
	ran         bool              // it was running before somebody had it paused
	told        <-chan time.Time  // when refused calls are to be told of
	clean       bool              // the life before has released all that the journal names but for the control socket
}

// New makes a keeper. Nothing is touched before Run.
func New(cfg Config) *Keeper {
	if cfg.Notify == nil {
		cfg.Notify = func(string) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{
		Config:   cfg,
		commands: make(chan command, 16),
		ending:   make(chan chan struct{}),
		finished: make(chan struct{}),
		timers:   newTimers(),
		served:   services{changed: make(chan struct{}, 1)},
		machine:  lifecycle.New(policy(cfg)),
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
	defer lock.Unlock()
	if orphaned(k.Store, name) {
		return Outcome{}, fault.New(
			fault.Busy,
			"skep adopt "+name+" keeps it; skep down "+name+" ends it",
			"start %s: it is already running, and its keeper has died",
			name,
		)
	}
	swept, err := sweepOne(ctx, k.Store, name)
	if swept.Torn {
		k.Notify("the last line of the journal of an earlier run is not whole; what it says before is swept")
	}
	if err != nil {
		return Outcome{}, fault.Wrap(
			fault.Host,
			err,
			"skep sweep says more",
			"clear away what an earlier run of %s left",
			name,
		)
	}
	k.state = store.State{
		Version:    store.StateVersion,
		Name:       name,
		File:       k.Cell.File,
		NameInFile: k.Cell.NameInFile,
		CellDigest: k.Cell.Digest(),
		KeeperPID:  os.Getpid(),
		Boot:       process.BootID(),
		Job:        k.Facts.Job,
		UID:        -1,
		GID:        -1,
	}
	k.openEvents(newRun())
	k.event(events.Event{Kind: events.Begin, File: k.Cell.File, SHA256: k.state.CellDigest})
	return k.keep(ctx, lifecycle.Begin{})
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
	defer lock.Unlock()
	if st, _, err := k.Store.ReadState(name); err == nil {
		k.openEvents(st.Run)
		k.event(events.Event{Kind: events.Adopted, PID: st.PID})
	}
	return k.keep(ctx, lifecycle.Adopt{})
}

// policy is what of a configuration the machine goes by.
func policy(cfg Config) lifecycle.Policy {
	c := cfg.Cell
	return lifecycle.Policy{
		Restart: c.Restart, Max: c.RestartMax, StopTimeout: cmp.Or(cfg.StopWithin, c.StopTimeout), TimeLimit: c.TimeLimit,
		Foreground: cfg.Foreground, Boot: cfg.Boot,
		MayEmulate: c.Accel == cell.AccelAuto,
		KVMTrusted: c.Boot.Kind == cell.BootHello && cfg.Facts.Linux != nil && cfg.Facts.Linux.KVM.Works,
	}
}

// publish writes the state for everybody else. A state that cannot be written does not stop a guest; ps
// then shows the one before.
func (k *Keeper) publish(p store.Phase, reason string) {
	if p == store.Crashed {
		// Nothing is held meanwhile, and ps is not to show a process that is gone.
		k.state.PID, k.state.PIDStart, k.state.UID, k.state.GID, k.state.Reach, k.state.Screen = 0, 0, -1, -1, nil, ""
		k.state.Worker, k.state.WorkerJail = nil, nil
	}
	if p == store.Starting {
		_ = k.Store.MakeRunDir(k.Cell.Name) // or the journal says why it cannot be made
	}
	k.state.Restarts, k.state.Resets = k.machine.Restarts, k.machine.Resets
	k.Log.Info("state", "state", p, "reason", reason, "pid", k.state.PID)
	k.state.State, k.state.Reason, k.state.Since = p, reason, time.Now().UTC()
	k.state.Suspended = k.machine.SuspendedBy()
	k.writeState()
	k.eventState(p, reason)
}

func (k *Keeper) writeState() {
	k.state.Services = k.served.list()
	if err := k.Store.WriteState(k.state); err != nil && k.state.State == store.Running {
		k.Notify(err.Error())
	}
}

// finish writes what is remembered of the cell and removes its run directory.
func (k *Keeper) finish(out Outcome) {
	defer k.endEvents(out)
	if k.server != nil {
		k.server.close()
	}
	k.forgetOthers()
	last := ended(k.state, out.State, out.Reason, k.Store.StateDir(k.Cell.Name))
	last.Restarts, last.Resets = k.machine.Restarts, k.machine.Resets
	last.End, last.ExitCode = string(out.End.Kind), int(out.Code)
	// A start that failed for want of a place to write to has said so.
	if err := k.Store.WriteLast(last); err != nil && !(out.State == store.Stopped && out.Code == fault.Host) {
		k.Notify(err.Error())
	}
	remove := k.Store.RemoveRunDir
	if !k.life.clean {
		// The journal names what could not be released, and a sweep tries again.
		remove = k.Store.ForgetRunning
	}
	if err := remove(k.Cell.Name); err != nil {
		k.Notify(err.Error())
	}
}
