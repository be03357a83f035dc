package provision

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"skep/internal/hypervisor"
	"skep/internal/jail/freebsdjail"
	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/store"
)

func (m *bhyveMachine) Kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.killed = true
	if m.child != nil {
		m.child.Kill()
	}
}

// evidence is what is known of the end of one bhyve.
func (m *bhyveMachine) evidence(c *freebsdjail.Child) hypervisor.Evidence {
	words := m.lastWords()
	m.mu.Lock()
	defer m.mu.Unlock()
	e := hypervisor.Evidence{System: hypervisor.Bhyve, Ran: true, Killed: m.killed, Stderr: words, Gone: true}
	if x := c.Exit(); x.Seen {
		e.Exit = &hypervisor.Exit{Status: x.Code, Signal: x.Signal}
	}
	return e
}

// follow waits for one bhyve's end and says what it means.
func (m *bhyveMachine) follow(c *freebsdjail.Child) {
	<-c.Exited()
	e := m.evidence(c)
	end, _ := hypervisor.Judge(e)
	m.mu.Lock()
	pressed := m.pressed
	m.mu.Unlock()
	if !e.Killed {
		p, found, err := ours(m.prison)
		switch {
		case pressed && e.Exit != nil && e.Exit.Signal == int(syscall.SIGTERM):
			end = hypervisor.End{Kind: hypervisor.EndKilled, Detail: "bhyve ended at the power button: the guest had not turned ACPI on"}
		case err == nil && (!found || p.Dying):
			// jail(8) -r presses the power button before it kills.
			end.Detail = "its jail was removed from outside; " + end.Detail
			if end.Kind == hypervisor.EndReset {
				end.Kind = hypervisor.EndNotSeen
			}
		}
	}
	m.deliver(end)
}

func (m *bhyveMachine) deliver(end hypervisor.End) {
	m.queue <- Event{Reset: end.Kind == hypervisor.EndReset, End: end}
}

// releaseBhyve ends the process. A sweep ends whatever runs in the cell's jail:
// a keeper may have died between starting bhyve and writing down its number,
// and a VM whose bhyve lives cannot be destroyed.
func (t *bsdProvisioner) releaseBhyve(ctx context.Context, s *plan.Bhyve, h store.Held) error {
	if t.bhyve == nil {
		if h.PID != 0 && process.Lives(h.PID, h.Start) {
			_ = syscall.Kill(h.PID, syscall.SIGKILL)
		}
		return emptyPrison(ctx, s.Jail)
	}
	m := t.bhyve
	m.Kill()
	m.mu.Lock()
	c := m.child
	m.mu.Unlock()
	if c != nil {
		select {
		case <-c.Exited():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if t.unplanned != nil {
		t.workers.stop()
		return dropWorkerJail(ctx, t.unplanned)
	}
	return nil
}

// emptyPrison kills what runs in a jail and waits until it is gone.
func emptyPrison(ctx context.Context, name string) error {
	p, err := freebsdjail.FindPrison(name)
	if errors.Is(err, freebsdjail.ErrNoPrison) || err == nil && p.Dying {
		return nil
	}
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(endWait); ; time.Sleep(5 * time.Millisecond) {
		inside, err := process.InJail(p.JID)
		if err != nil || len(inside) == 0 {
			return err
		}
		for _, i := range inside {
			_ = syscall.Kill(i.PID, syscall.SIGKILL)
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("process %d of jail %s was killed and is still there", inside[0].PID, name)
		}
	}
}

// releaseModem closes our end, with which the pair goes, and lets the client
// have the guest's last words.
func (t *bsdProvisioner) releaseModem() error {
	if t.bhyve != nil && t.bhyve.far != nil && t.workers != nil && t.unplanned == nil {
		_ = t.workers.client.EndConsole(context.Background(), time.Second*4/3)
	}
	t.drop("modem")
	return nil
}
