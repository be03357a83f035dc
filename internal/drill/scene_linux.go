package drill

import (
	"context"
	"net"

	"skep/internal/drill/bait"
	"skep/internal/drill/report"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
)

// scene drills the worker: an attacker in its place, who makes the attempts that one in the hypervisor's place
// makes, and then those against the keeper's protocol.
func (d *drill) scene(ctx context.Context, r *report.Report) error {
	if d.harness.Worker == nil {
		return nil
	}
	enter := func(ctx context.Context, _ Attempt) (*Fixture, error) { return d.inWorker(ctx, nil) }
	if err := d.service(ctx, r, report.SceneWorker, protocolAttempts(), enter); err != nil {
		return err
	}
	if err := d.cards(ctx, r); err != nil {
		return err
	}
	return d.tpm(ctx, r)
}

// commandsFD is where the attacker in the worker's place is told what to try; keeperFD is the worker's socket.
const (
	keeperFD   = linuxjail.FirstFD
	commandsFD = linuxjail.FirstFD + 1
)

// inWorker puts an attacker into the jail of a worker, with a keeper at the other end of its socket. change may change
// that jail.
func (d *drill) inWorker(ctx context.Context, change func(*linuxjail.Spec) error) (*Fixture, error) {
	k, theirs, err := newKeeperSide()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	conn, commands, err := commandPair()
	if err != nil {
		k.link.Close()
		return nil, err
	}
	defer commands.Close()
	spec, err := d.harness.Worker(theirs)
	if err != nil {
		k.link.Close()
		conn.Close()
		return nil, err
	}
	spec.Root, spec.Path = d.harness.Spec.Root, d.harness.Spec.Path
	spec.Root.Copies, spec.Root.Nodes = nil, nil
	spec.FDs = append(spec.FDs, jail.FD{Name: commandSocket, File: commands})
	// Its number of arguments is the number of that descriptor, and the plus sign says that it is connected.
	spec.Argv = []string{"+", "", "", ""}
	if change != nil {
		if err := change(&spec); err != nil {
			k.link.Close()
			conn.Close()
			return nil, err
		}
	}
	s := &Fixture{Bait: d.bait, Neighbour: d.neighbour, Plan: d.harness.Plan, Spec: spec, stacks: &d.stacks, measuring: d.measuring, keeper: k}
	for _, l := range spec.Limits {
		if l.Name == "fsize" {
			s.bound = l
		}
	}
	return d.begin(ctx, s, conn)
}

// begin starts an attacker that is told what to try over a connection which it has already, and takes it to where
// the process in whose place it is would begin to read.
func (d *drill) begin(ctx context.Context, s *Fixture, conn net.Conn) (*Fixture, error) {
	proc, err := bait.Careless(d.bait, func() (*linuxjail.Process, error) { return linuxjail.Start(ctx, s.Spec) })
	if err != nil {
		s.hangUp()
		conn.Close()
		return nil, err
	}
	s.Proc, s.jailed = proc, proc
	if err = d.harness.Started(proc); err == nil {
		if s.session, err = meet(conn); err != nil {
			conn.Close()
		}
	}
	if err == nil {
		err = s.prepare(ctx)
	}
	if err != nil {
		s.leave()
		return nil, err
	}
	d.stacks = append(d.stacks, s.stack)
	return s, nil
}
