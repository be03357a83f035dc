package cli

import (
	"skep/internal/audit"
	"skep/internal/keeper"
	"skep/internal/layer"
	"skep/internal/store"
)

// liveLayers asks the kernel, now, what the live process shows: everything that
// protects a cell can be seen from outside on this system, so it is the audit's
// rows. One that fails is a layer that is missing.
func liveLayers(s store.State) []layer.Decision {
	if s.Plan == nil || !keeper.Alive(s) {
		return nil
	}
	r, err := audit.Cell(s)
	if err != nil {
		return nil
	}
	var all []layer.Decision
	for _, row := range r.Rows {
		d := layer.Decision{ID: layer.ID(row.ID), Verdict: layer.Applied, Detail: row.Seen}
		if row.Verdict.Bad() {
			d.Verdict = layer.Missing
			d.Detail = string(row.Verdict) + ": " + row.Seen
		}
		all = append(all, d)
	}
	return all
}
