package cli

import (
	"context"

	"skep/internal/cell"
	"skep/internal/probe"
)

// warnOfShutdown says which cell would be cut off by a shutdown of the host
// that waits less than the cell's stop_timeout, and those of the cells that stop
// before it.
func (a *app) warnOfShutdown(ctx context.Context, cells []*cell.Cell) {
	slowest, took := longestStop(cells)
	if slowest == nil {
		return
	}
	for _, l := range probe.ShutdownLimits(ctx) {
		if w := l.Warning(slowest.Name, took); w != "" {
			a.note("warning: %s", w)
		}
	}
}
