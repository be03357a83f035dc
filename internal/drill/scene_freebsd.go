package drill

import (
	"context"
	"os"

	"skep/internal/drill/attack"
	"skep/internal/drill/report"
)

// scene drills the worker: an attacker in its place, who makes the attempts that one in the hypervisor's place
// makes, those with what a worker is handed, and those against the keeper's protocol.
func (d *drill) scene(ctx context.Context, r *report.Report) error {
	enter := func(ctx context.Context, _ attack.Attempt) (*attack.Fixture, error) { return d.inWorker(ctx) }
	made := d.reportsOf(r, report.SceneWorker, report.PhaseRun)
	d.stacks = nil
	general := attack.Round{Rows: attack.WorkerAttempts(), Enter: enter, Made: made, Paired: true, Spent: func(_ attack.Attempt, v report.Verdict) bool { return v == report.Escaped }}
	if err := general.Run(ctx); err != nil {
		return err
	}
	protocol := attack.Round{Rows: attack.ProtocolAttempts(), Enter: enter, Made: made, Spent: func(attack.Attempt, report.Verdict) bool { return true }} // each has a keeper of its own
	return protocol.Run(ctx)
}

// inWorker puts an attacker into the jail of a worker, with a keeper at the other end of its socket.
func (d *drill) inWorker(ctx context.Context) (*attack.Fixture, error) {
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
	s := &attack.Fixture{Bait: d.bait, Neighbour: d.neighbour, Plan: d.harness.Plan, Harness: d.harness, Stacks: &d.stacks, Measuring: d.measuring, Keeper: k}
	if d.harness.Missing.Launch.Jail() {
		s.Neighbour = nil
	} else if s.JID, err = d.harness.WorkerJail(); err != nil {
		k.Link.Close()
		conn.Close()
		return nil, err
	}
	program, err := os.Open(d.bait.Program)
	if err == nil {
		s.Child, err = d.harness.EnterWorker(commands, theirs, program)
		program.Close()
	}
	if err != nil {
		k.Link.Close()
		conn.Close()
		return nil, err
	}
	commands.Close()
	if s.Session, err = attack.Meet(conn); err == nil {
		err = s.IgnoreSignals()
	}
	if err != nil {
		conn.Close()
		s.Leave()
		return nil, err
	}
	d.stacks = append(d.stacks, s.Stack)
	return s, ctx.Err()
}
