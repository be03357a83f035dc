package drill

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"skep/internal/cell"
	"skep/internal/drill/attack"
	"skep/internal/drill/report"
	"skep/internal/jail/freebsdjail"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/store"
	"skep/internal/worker"
)

// TestMain is also the launcher and the worker of these tests' cells, as cmd/skep is.
func TestMain(m *testing.M) {
	freebsdjail.LaunchIfAsked()
	worker.ServeIfAsked()
	os.Exit(m.Run())
}

// What stops an attempt in the worker's place is what it is said to be: without that it is let out.
func TestWorkerLacksLayers(t *testing.T) {
	if os.Getenv("SKEP_TEST_ABLATE") == "" {
		t.Skip("takes minutes where the machine is emulated; SKEP_TEST_ABLATE=1 runs it")
	}
	dir := t.TempDir()
	o := probe.Options{}
	o.Dirs.Run, o.Dirs.State = filepath.Join(dir, "run"), filepath.Join(dir, "state")
	facts, err := probe.Probe(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(facts.Dirs)
	if err != nil {
		t.Fatal(err)
	}
	these := map[string]bool{"open-passwd": true, "handed-type": true, "handed-log-mode": true, "handed-log-lock": true, "wx-map": true,
		"kill": true, "raise-files": true, "tcp": true, "leaked-descriptors": true}
	var some []attack.Attempt
	for _, a := range attack.WorkerAttempts() {
		if these[a.ID] {
			some = append(some, a)
		}
	}
	d := &drill{Config: Config{Cell: cell.Hello(), Facts: facts, Store: st}, measuring: true}
	err = d.lay(t.Context(), func(c *cell.Cell) error {
		for _, tt := range []struct {
			gone missing
			open []string
		}{
			{nil, nil},
			{without(report.Capsicum), []string{"handed-log-lock"}},
			{without(report.PrivateRoot, report.Capsicum), []string{"open-passwd", "handed-log-lock"}},
			{without(report.JailLayer, report.Capsicum), []string{"tcp", "handed-log-lock"}},
			{without(report.OwnUser, report.Capsicum), []string{"handed-log-mode"}},
			{without(report.Controls), []string{"wx-map"}},
			{without(report.Securelevel, report.NoSuser), nil},
		} {
			var got attack.Outcomes
			change := func(p *plan.Plan) { d.substitute(p); d.leaveOut(p, tt.gone) }
			err := d.dryRun(t.Context(), c, change, func(ctx context.Context) (err error) {
				d.harness.Missing = lacking(d.harness.Plan, tt.gone)
				// The far end of whose console a worker is handed; it may lack more than bhyve can do without.
				if s, err := d.appear(ctx, report.PhaseRun); err == nil {
					s.Leave()
				}
				d.stacks = nil
				got, err = attack.Measured(ctx, some, d.inWorker)
				return err
			})
			if err != nil {
				t.Errorf("without %s: %v", list(tt.gone), err)
				continue
			}
			for id, o := range got {
				t.Logf("without %s: %s: %+v", list(tt.gone), id, o)
			}
			for _, id := range tt.open {
				if !got.Open(id) {
					t.Errorf("without %s: %s is stopped by %s", list(tt.gone), id, got[id].How)
				}
			}
			if tt.gone == nil {
				for id := range got {
					if got.Open(id) {
						t.Errorf("%s got out: %s", id, got[id].How)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
