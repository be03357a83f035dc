package keeper

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"skep/internal/cell"
	"skep/internal/hypervisor"
	"skep/internal/provision"
	"skep/internal/store"
)

// A guest of which the host could not write or read a disk is paused, so that
// nothing of it is lost: it is let go on every ioRetry, and is said to run again
// once that has held for ioSettle. Most often the host's file system is full.
const (
	ioRetry  = 2 * time.Second
	ioSettle = time.Second
)

// ioPause is what a keeper knows of such a guest.
type ioPause struct {
	reason  string           // "" where the guest is not paused
	before  string           // the reason of its state until then
	retry   <-chan time.Time // when it is let go on
	settled <-chan time.Time // when it has gone on for long enough
}

// failed takes in that a disk has failed the guest.
func (p *ioPause) failed(k *Keeper, ev hypervisor.Event) {
	reason := ioReason(k.Cell, ev)
	if !ev.Stopped {
		// The guest was told, and goes on.
		k.setState(k.state.State, reason+"; the guest was told")
		k.Notify(k.Cell.Name + ": " + reason + "; the guest was told")
		return
	}
	p.settled, p.retry = nil, time.After(ioRetry)
	if p.reason == reason {
		return
	}
	if p.reason == "" {
		p.before = k.state.Reason
	}
	p.reason = reason
	if k.state.State == store.Stopping {
		k.setState(store.Stopping, p.before+"; the guest is paused: "+reason)
	} else {
		k.setState(store.Paused, reason)
	}
	k.Notify(k.Cell.Name + ": the guest is paused: " + reason + "; it goes on by itself once that is over")
}

// stopping is the reason of a guest that is asked to power off.
func (p *ioPause) stopping(asked string) string {
	if p.reason == "" {
		return asked
	}
	p.before = asked
	return asked + "; the guest is paused: " + p.reason
}

// again lets the guest go on. Whether the disk fails it once more, it will say.
func (p *ioPause) again(ctx context.Context, m provision.Machine) {
	p.retry = nil
	if err := m.Resume(ctx); err != nil {
		p.retry = time.After(ioRetry)
		return
	}
	p.settled = time.After(ioSettle)
}

// over takes in that the guest has gone on.
func (p *ioPause) over(k *Keeper) {
	phase := k.state.State
	if phase == store.Paused {
		phase = store.Running
	}
	k.setState(phase, p.before)
	k.Notify(k.Cell.Name + ": the guest goes on")
	*p = ioPause{}
}

// ioReason says which disk failed, and how, in one line.
func ioReason(c *cell.Cell, ev hypervisor.Event) string {
	what := "writing to it failed"
	if ev.Read {
		what = "reading it failed"
	}
	switch {
	case ev.NoSpace:
		what = "no space left on the host"
	case ev.Reason != "":
		what += ": " + strings.ToLower(ev.Reason[:1]) + ev.Reason[1:]
	}
	return fmt.Sprintf("%s: %s", diskOf(c, ev.Node), what)
}

// diskOf is a disk by the name of its node, "disk0" for the first.
func diskOf(c *cell.Cell, node string) string {
	number, _ := strings.CutPrefix(node, "disk")
	if i, err := strconv.Atoi(number); err == nil && i >= 0 && i < len(c.Disks) {
		return "disk " + c.Disks[i].Label
	}
	return "a disk"
}
