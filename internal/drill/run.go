//go:build linux || freebsd

package drill

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"skep/internal/cell"
	"skep/internal/drill/attack"
	"skep/internal/drill/bait"
	"skep/internal/drill/report"
	"skep/internal/keeper"
	"skep/internal/plan"
	"skep/internal/provision"
)

// drill is one drill under way.
type drill struct {
	Config
	bait      *bait.Bait
	neighbour *bait.Neighbour
	harness   provision.Fixture
	notes     []string
	stacks    []uint64 // where the stacks of all attackers so far were
	measuring bool     // layers are missing on purpose
}

// Run drills a twin of the cell.
func Run(ctx context.Context, cfg Config) (r report.Report, err error) {
	began := time.Now()
	r = report.Report{Version: report.Version, Name: cfg.Cell.Name, Time: began.UTC()}
	d := &drill{Config: cfg}
	err = d.set(ctx, func(ctx context.Context) error {
		if err := d.all(ctx, &r); err != nil {
			return err
		}
		return d.scene(ctx, &r)
	})
	r.Notes = d.notes
	r.Took = time.Since(began)
	return r, err
}

// set lays the bait, starts the neighbour, takes the twin's resources, and clears it all away again
// when act is over.
func (d *drill) set(ctx context.Context, act func(context.Context) error) error {
	return d.lay(ctx, func(c *cell.Cell) error { return d.dryRun(ctx, c, d.substitute, act) })
}

// lay lays the bait and starts the neighbour, and clears both away again when act is over. act is given
// the twin.
func (d *drill) lay(ctx context.Context, act func(*cell.Cell) error) (err error) {
	program, ok := bait.Attackers[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("cannot drill: there is no attacker for %s yet", runtime.GOARCH)
	}
	if err := fit(d.Facts); err != nil {
		return err
	}
	if d.bait, err = bait.Lay(program, d.Hidden); err != nil {
		return err
	}
	defer d.bait.Clear()
	// Names that no cell of anybody's can have: what is remembered of them is removed.
	name, other := fmt.Sprintf("_drill-%d", os.Getpid()), fmt.Sprintf("_drill-%d-n", os.Getpid())
	defer os.RemoveAll(d.Store.StateDir(name))
	defer os.RemoveAll(d.Store.StateDir(other))
	disks, err := bait.NeighbourDisks(d.bait.Dir)
	if err != nil {
		return err
	}
	if d.neighbour, err = bait.Meet(ctx, other, d.Facts, d.Store, disks); err != nil {
		return err
	}
	defer d.neighbour.Leave()
	c, notes, err := twin(d.Cell, name, d.bait.Dir)
	if err != nil {
		return err
	}
	d.notes = append(d.notes, notes...)
	if c.Template != nil {
		if err := scratchTemplate(c, d.Facts, d.bait.Dir); err != nil {
			return err
		}
	}
	return act(c)
}

// dryRun takes the twin's resources, and releases them when act is over.
func (d *drill) dryRun(ctx context.Context, c *cell.Cell, substitute func(*plan.Plan), act func(context.Context) error) error {
	k := keeper.New(keeper.Config{Cell: c, Facts: d.Facts, Store: d.Store, Foreground: true})
	return k.DryRun(ctx, substitute, func(ctx context.Context, s provision.Fixture) error {
		d.harness = s
		return act(ctx)
	})
}

// all makes every attempt: in the start, those that are made there; then, in one attacker after
// another, all of them; last those of an intruder who was there in the start.
func (d *drill) all(ctx context.Context, r *report.Report) error {
	for _, phase := range []string{report.PhaseStart, report.PhaseRun} {
		if err := d.phase(phase, r).Run(ctx); err != nil {
			return err
		}
	}
	ahead := attack.Round{Rows: attack.HeadStarts(), Enter: d.ahead, Made: d.reports(r, report.PhaseRun),
		Spent: func(attack.Attempt, report.Verdict) bool { return true }}
	return ahead.Run(ctx)
}

// phase is the round of a phase. Whoever got out is not used again: it may have changed what the next
// attempt would meet.
func (d *drill) phase(phase string, r *report.Report) attack.Round {
	these := attack.All()
	if phase == report.PhaseStart {
		these = slices.DeleteFunc(these, func(a attack.Attempt) bool { return !a.Start })
	}
	return attack.Round{
		Rows:  these,
		Enter: func(ctx context.Context, _ attack.Attempt) (*attack.Fixture, error) { return d.appear(ctx, phase) },
		Made:  d.reports(r, phase),
		Spent: func(_ attack.Attempt, v report.Verdict) bool { return v == report.Escaped },
	}
}

// reports adds each attempt of a phase to the report.
func (d *drill) reports(r *report.Report, phase string) func(attack.Attempt, report.Verdict, string) {
	return d.reportsOf(r, report.SceneHypervisor, phase)
}

func (d *drill) reportsOf(r *report.Report, scene, phase string) func(attack.Attempt, report.Verdict, string) {
	return func(a attack.Attempt, v report.Verdict, how string) {
		if v == report.Escaped && phase == report.PhaseStart && a.Early != "" {
			v, how = report.Allowed, a.Early
		}
		r.Add(a.Row(scene, phase, v, how))
		if d.Progress != nil {
			d.Progress(r.Rows[len(r.Rows)-1])
		}
	}
}
