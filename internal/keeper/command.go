package keeper

import (
	"os"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/input"
	"skep/internal/lifecycle"
)

// commandKind is what a keeper can be asked while it keeps.
type commandKind string

const (
	commandStop       commandKind = "stop"       // power button, then force
	commandKill       commandKind = "kill"       // at once
	commandScreenshot commandKind = "screenshot" // a PNG of the screen
	commandStatus     commandKind = "status"
	commandSave       commandKind = "snapshot-save"   // disks and memory, by a tag
	commandLoad       commandKind = "snapshot-load"   // go back to it
	commandForget     commandKind = "snapshot-delete" // remove it
	commandGrow       commandKind = "disk-grow"       // a disk, to a size
	commandMedium     commandKind = "medium"          // put an image into a drive
	commandPause      commandKind = "pause"           // until the connection ends
	commandPauseDone  commandKind = "pause-done"      // the end of such a connection
	commandSuspend    commandKind = "suspend"         // until commandResume
	commandResume     commandKind = "resume"
	commandFreeze     commandKind = "freeze" // into the template that it was started for
	commandInput      commandKind = "input"  // keyboard and pointer
	commandDump       commandKind = "dump"   // memory, to a descriptor
	commandMade       commandKind = "made"   // a file was made of the cell, for its events
)

// command is one request to the keeper, by its terminal or over the
// control socket.
type command struct {
	do commandKind
	// who is for the reason: "skep down", "SIGTERM".
	who    string
	number int    // of a pause
	tag    string // of a snapshot
	steps  []input.Step
	size   cell.Size   // of a disk
	path   string      // of an image; "" is none
	file   *os.File    // that memory goes to
	sum    string      // of a file that was made
	reply  chan answer // nil where nobody waits
}

// asks says whether the hypervisor itself is asked.
func (o command) asks() bool {
	switch o.do {
	case commandScreenshot, commandSave, commandLoad, commandForget, commandInput, commandDump, commandFreeze, commandGrow, commandMedium:
		return true
	}
	return false
}

type answer struct {
	err     error
	data    []byte
	picture *os.File // a guest has made it: it is passed on, and not read
}

func (o command) answer(err error) { o.send(answer{err: err}) }

func (o command) send(a answer) {
	if o.reply != nil {
		o.reply <- a // has room for one
	}
}

// Stop asks the guest to power off, and forces it after its stop_timeout. It
// returns at once.
func (k *Keeper) Stop(who string) { k.tell(command{do: commandStop, who: who}) }

// Kill ends the hypervisor at once.
func (k *Keeper) Kill(who string) { k.tell(command{do: commandKill, who: who}) }

// Suspend has the guest stand still until somebody resumes it.
func (k *Keeper) Suspend(who string) error { return k.askItself(commandSuspend, who) }

// Freeze keeps the guest's memory in the template that it was started for. It stands still from then on.
func (k *Keeper) Freeze() error { return k.askItself(commandFreeze, "skep template make") }

func (k *Keeper) askItself(do commandKind, who string) error {
	o := command{do: do, who: who, reply: make(chan answer, 1)}
	k.tell(o)
	select {
	case a := <-o.reply:
		return a.err
	case <-k.finished:
		return fault.New(fault.GuestDied, "", "have %s stand still: it has ended", k.Cell.Name)
	}
}

func (k *Keeper) tell(o command) {
	select {
	case k.commands <- o:
	case <-k.finished:
		o.answer(fault.New(fault.Host, "", "tell the keeper of %s: it has finished", k.Cell.Name))
	}
}

// event is the command as the machine sees it.
func (o command) event() lifecycle.Event {
	switch o.do {
	case commandStop:
		return lifecycle.StopAsked{Who: o.who}
	case commandKill:
		return lifecycle.KillAsked{Who: o.who}
	}
	switch o.do {
	case commandPause:
		return lifecycle.PauseAsked{Who: o.who, Number: o.number}
	case commandPauseDone:
		return lifecycle.PauseDone{Number: o.number}
	case commandSuspend:
		return lifecycle.PauseAsked{Who: o.who, Number: lifecycle.ByCommand}
	case commandResume:
		return lifecycle.PauseDone{Number: lifecycle.ByCommand}
	}
	return lifecycle.Asked{Screenshot: o.asks()}
}

// replyTo waits for the answer to a command. A keeper that finishes answers no more: what was to be ended has
// ended then, and anything else was not done.
func (k *Keeper) replyTo(o command) answer {
	select {
	case a := <-o.reply:
		return a
	case <-k.finished:
	}
	select {
	case a := <-o.reply:
		return a
	default:
	}
	if o.do == commandStop || o.do == commandKill {
		return answer{}
	}
	return answer{err: fault.New(fault.GuestDied, "", "do %s: %s has ended", o.do, k.Cell.Name)}
}
