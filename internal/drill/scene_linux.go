package drill

import (
	"context"
	"errors"
	"net"

	"skep/internal/drill/attack"
	"skep/internal/drill/bait"
	"skep/internal/drill/report"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/plan"
	"skep/internal/unixsock"
)

// scene drills the worker: an attacker in its place, who makes the attempts that one in the hypervisor's place
// makes, and then those against the keeper's protocol.
func (d *drill) scene(ctx context.Context, r *report.Report) error {
	if d.harness.Worker == nil {
		return nil
	}
	enter := func(ctx context.Context, _ attack.Attempt) (*attack.Fixture, error) { return d.inWorker(ctx, nil) }
	if err := d.service(ctx, r, report.SceneWorker, attack.ProtocolAttempts(), enter); err != nil {
		return err
	}
	if err := d.cards(ctx, r); err != nil {
		return err
	}
	return d.tpm(ctx, r)
}

// inWorker puts an attacker into the jail of a worker, with a keeper at the other end of its socket. change may change
// that jail.
func (d *drill) inWorker(ctx context.Context, change func(*linuxjail.Spec) error) (*attack.Fixture, error) {
	k, theirs, err := attack.NewKeeperSide()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	conn, commands, err := commandPair()
	if err != nil {
		k.Link.Close()
		return nil, err
	}
	defer commands.Close()
	spec, err := d.harness.Worker(theirs)
	if err != nil {
		k.Link.Close()
		conn.Close()
		return nil, err
	}
	spec.Root, spec.Path = d.harness.Spec.Root, d.harness.Spec.Path
	spec.Root.Copies, spec.Root.Nodes = nil, nil
	spec.FDs = append(spec.FDs, jail.FD{Name: attack.CommandSocket, File: commands})
	// Its number of arguments is the number of that descriptor, and the plus sign says that it is connected.
	spec.Argv = []string{"+", "", "", ""}
	if change != nil {
		if err := change(&spec); err != nil {
			k.Link.Close()
			conn.Close()
			return nil, err
		}
	}
	s := &attack.Fixture{Bait: d.bait, Neighbour: d.neighbour, Plan: d.harness.Plan, Spec: spec, Stacks: &d.stacks, Measuring: d.measuring, Keeper: k}
	for _, l := range spec.Limits {
		if l.Name == "fsize" {
			s.Bound = l
		}
	}
	return d.begin(ctx, s, conn)
}

// begin starts an attacker that is told what to try over a connection which it has already, and takes it to where
// the process in whose place it is would begin to read.
func (d *drill) begin(ctx context.Context, s *attack.Fixture, conn net.Conn) (*attack.Fixture, error) {
	proc, err := bait.Careless(d.bait, func() (*linuxjail.Process, error) { return linuxjail.Start(ctx, s.Spec) })
	if err != nil {
		s.HangUp()
		conn.Close()
		return nil, err
	}
	s.Proc, s.Jailed = proc, proc
	if err = d.harness.Started(proc); err == nil {
		if s.Session, err = attack.Meet(conn); err != nil {
			conn.Close()
		}
	}
	if err == nil {
		err = s.Prepare(ctx)
	}
	if err != nil {
		s.Leave()
		return nil, err
	}
	d.stacks = append(d.stacks, s.Stack)
	return s, nil
}

// enter starts an attacker and meets it. It is then where a hypervisor is before its guest is
// prepared; prepare takes it on.
func (d *drill) enter(ctx context.Context, spec linuxjail.Spec) (*attack.Fixture, error) {
	socket, ok := d.harness.Plan.Find("socket:" + attack.CommandSocket)
	if !ok {
		return nil, errors.New("the plan has no socket for commands")
	}
	s := &attack.Fixture{Bait: d.bait, Neighbour: d.neighbour, Plan: d.harness.Plan, Spec: spec, Stacks: &d.stacks, Measuring: d.measuring,
		Bound: d.harness.Bound, LimitDisk: d.Cell.Jail.Limits.Disk}
	proc, err := bait.Careless(d.bait, func() (*linuxjail.Process, error) { return linuxjail.Start(ctx, spec) })
	if err != nil {
		return nil, err
	}
	s.Proc, s.Jailed = proc, proc
	if err = d.harness.Started(proc); err == nil {
		conn, derr := unixsock.Dial(socket.Spec.(*plan.Socket).Path)
		if err = derr; err == nil {
			if s.Session, err = attack.Meet(conn); err != nil {
				conn.Close()
			}
		}
	}
	if err != nil {
		s.Leave()
		return nil, err
	}
	d.stacks = append(d.stacks, s.Stack)
	s.OpenMemory()
	return s, nil
}

// ahead puts an intruder there in the start, and takes him on to the guest's life.
func (d *drill) ahead(ctx context.Context, a attack.Attempt) (*attack.Fixture, error) {
	s, err := d.enter(ctx, d.harness.Spec)
	if err != nil {
		return nil, err
	}
	a.Before(s)
	if err = s.Prepare(ctx); err != nil {
		s.Leave()
		return nil, err
	}
	return s, nil
}
