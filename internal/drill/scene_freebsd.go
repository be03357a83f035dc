package drill

import (
	"context"
	"os"

	"skep/internal/drill/report"
)

// scene drills the worker: an attacker in its place, who makes the attempts that one in the hypervisor's place
// makes, those with what a worker is handed, and those against the keeper's protocol.
func (d *drill) scene(ctx context.Context, r *report.Report) error {
	enter := func(ctx context.Context, _ Attempt) (*Fixture, error) { return d.inWorker(ctx) }
	made := d.reportsOf(r, report.SceneWorker, report.PhaseRun)
	d.stacks = nil
	general := round{rows: workerAttempts(), enter: enter, made: made, paired: true, spent: func(_ Attempt, v report.Verdict) bool { return v == report.Escaped }}
	if err := general.run(ctx); err != nil {
		return err
	}
	protocol := round{rows: protocolAttempts(), enter: enter, made: made, spent: func(Attempt, report.Verdict) bool { return true }} // each has a keeper of its own
	return protocol.run(ctx)
}

// inWorker puts an attacker into the jail of a worker, with a keeper at the other end of its socket.
func (d *drill) inWorker(ctx context.Context) (*Fixture, error) {
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
	s := &Fixture{Bait: d.bait, Neighbour: d.neighbour, Plan: d.harness.Plan, harness: d.harness, stacks: &d.stacks, measuring: d.measuring, keeper: k}
	if d.harness.Missing.Launch.Jail() {
		s.Neighbour = nil
	} else if s.jid, err = d.harness.WorkerJail(); err != nil {
		k.link.Close()
		conn.Close()
		return nil, err
	}
	program, err := os.Open(d.bait.Program)
	if err == nil {
		s.child, err = d.harness.EnterWorker(commands, theirs, program)
		program.Close()
	}
	if err != nil {
		k.link.Close()
		conn.Close()
		return nil, err
	}
	commands.Close()
	if s.session, err = meet(conn); err == nil {
		err = s.ignoreSignals()
	}
	if err != nil {
		conn.Close()
		s.leave()
		return nil, err
	}
	d.stacks = append(d.stacks, s.stack)
	return s, ctx.Err()
}
