package drill

import (
	"context"
	"errors"
	"net"
	"os"
	"skep/internal/drill/attack"
	"skep/internal/drill/report"
	"skep/internal/jail/freebsdjail"

	"golang.org/x/sys/unix"
)

// appear puts an attacker into bhyve's place, in the full rootfs; if the phase is the guest's, it does
// what bhyve does until then, and the rootfs is emptied behind it.
func (d *drill) appear(ctx context.Context, phase string) (*attack.Fixture, error) {
	if err := d.harness.Refill(); err != nil {
		return nil, err
	}
	s, err := d.enter(ctx)
	if err == nil && phase == report.PhaseRun {
		if err = s.Prepare(); err == nil {
			err = d.harness.Empty(ctx, s.Child.(*freebsdjail.Child))
		}
		if err != nil {
			s.Leave()
		}
	}
	return s, err
}

// enter starts an attacker and meets it.
func (d *drill) enter(ctx context.Context) (*attack.Fixture, error) {
	s := &attack.Fixture{Bait: d.bait, Neighbour: d.neighbour, Plan: d.harness.Plan, Harness: d.harness, Stacks: &d.stacks, Measuring: d.measuring, JID: d.harness.JID}
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
			s.Child = c
		}
	}
	theirs.Close()
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, err
	}
	if s.Session, err = attack.Meet(conn); err == nil {
		err = s.IgnoreSignals()
	}
	if err != nil {
		conn.Close()
		s.Leave()
		return nil, err
	}
	d.stacks = append(d.stacks, s.Stack)
	return s, nil
}

// ahead: there are no head starts here.
func (d *drill) ahead(context.Context, attack.Attempt) (*attack.Fixture, error) {
	return nil, errors.ErrUnsupported
}
