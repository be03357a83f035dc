package cli

import (
	"context"

	"skep/internal/cell"
	"skep/internal/host"
)

// warnOfShutdown says which cell would be cut off by a shutdown of the host
// that waits less than the cell's stop_timeout.
func (a *app) warnOfShutdown(ctx context.Context, cells []*cell.Cell) {
	var slowest *cell.Cell
	for _, c := range cells {
		if slowest == nil || c.StopTimeout > slowest.StopTimeout {
			slowest = c
		}
	}
	if slowest == nil {
		return
	}
	for _, l := range host.ShutdownLimits(ctx) {
		if w := l.Warning(slowest.Name, slowest.StopTimeout); w != "" {
			a.note("warning: %s", w)
		}
	}
}
