package cli

import (
	"context"
	"time"

	"skep/internal/metrics"
	"skep/internal/store"
	used "skep/internal/usage"
)

// How many cells are audited each time that the metrics are read, and how often each at most: an audit takes tens
// of milliseconds, and there may be hundreds of cells.
const (
	auditsAtOnce = 3
	auditPause   = 5 * time.Minute
)

// Metrics are for Prometheus. Reading them is what has cells looked at.
func (s *served) Metrics(ctx context.Context) ([]byte, error) {
	if err := s.count(); err != nil {
		return nil, err
	}
	for _, name := range s.counts.Due(auditsAtOnce, auditPause, time.Now()) {
		r, err := s.a.auditCell(name)
		if err != nil {
			continue // it has ended meanwhile, most likely
		}
		v := metrics.Verdict{OK: r.OK, Rows: map[string]int{}, At: time.Now()}
		for _, row := range r.Rows {
			v.Rows[string(row.Verdict)]++
		}
		s.counts.Audited(name, v)
	}
	return s.counts.Text()
}

// countPause is how often it is looked which cells run, so that few lives begin and end unseen.
const countPause = 5 * time.Second

// keepCount counts until the context ends.
func (s *served) keepCount(ctx context.Context) {
	for ctx.Err() == nil {
		_ = s.count()
		select {
		case <-ctx.Done():
		case <-time.After(countPause):
		}
	}
}

// count looks at every cell once.
func (s *served) count() error {
	cells, err := listCells(s.dirs)
	if err != nil {
		return err
	}
	st := store.View(s.dirs)
	all := make([]metrics.Cell, len(cells))
	for i, c := range cells {
		all[i] = metrics.Cell{Name: c.Name, State: c.State, Refused: c.Refused}
		short, _, err := st.ReadState(c.Name)
		if err != nil {
			continue
		}
		all[i].Ended = short.End
		if c.PID == 0 || c.State == string(store.Starting) {
			continue
		}
		all[i].Life = short.PIDStart
		if c.Restarts == 0 && c.Resets == 0 && c.State == string(store.Running) {
			// The keeper's own start is that of the cell's first life.
			if age, err := used.Age(c.KeeperPID); err == nil {
				all[i].Started = max(0, age-time.Since(c.Since))
			}
		}
		if u, err := used.Of(c.PID, s.fit(c.Name).taps); err == nil {
			all[i].Use = &metrics.Use{CPU: u.CPU, Memory: u.Memory, Read: u.Read, Written: u.Written, In: u.In, Out: u.Out}
		}
	}
	s.counts.Saw(all)
	return nil
}
