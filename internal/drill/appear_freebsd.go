package drill

import (
	"context"
	"errors"
	"net"
	"os"
	"skep/internal/drill/report"
	"skep/internal/jail/freebsdjail"

	"golang.org/x/sys/unix"
)

// appear puts an attacker into bhyve's place, in the full rootfs; if the phase is the guest's, it does
// what bhyve does until then, and the rootfs is emptied behind it.
func (d *drill) appear(ctx context.Context, phase string) (*Fixture, error) {
	if err := d.harness.Refill(); err != nil {
		return nil, err
	}
	s, err := d.enter(ctx)
	if err == nil && phase == report.PhaseRun {
		if err = s.prepare(); err == nil {
			err = d.harness.Empty(ctx, s.child.(*freebsdjail.Child))
		}
		if err != nil {
			s.leave()
		}
	}
	return s, err
}

// enter starts an attacker and meets it.
func (d *drill) enter(ctx context.Context) (*Fixture, error) {
	s := &Fixture{Bait: d.bait, Neighbour: d.neighbour, Plan: d.harness.Plan, harness: d.harness, stacks: &d.stacks, measuring: d.measuring, jid: d.harness.JID}
	if d.harness.Missing.Launch.Jail() {
		s.Neighbour = nil // outside of a jail its VM is accessible, and would be gone
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "commands"), os.NewFile(uintptr(pair[1]), "commands")
	conn, err := net.FileConn(ours)
	ours.Close()
	if err == nil {
		var c *freebsdjail.Child
		if c, err = d.harness.Enter(ctx, theirs); err == nil {
			s.child = c
		}
	}
	theirs.Close()
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, err
	}
	if s.session, err = meet(conn); err == nil {
		err = s.ignoreSignals()
	}
	if err != nil {
		conn.Close()
		s.leave()
		return nil, err
	}
	d.stacks = append(d.stacks, s.stack)
	return s, nil
}

// ahead: there are no head starts here.
func (d *drill) ahead(context.Context, Attempt) (*Fixture, error) { return nil, errors.ErrUnsupported }
