package cli

import (
	"context"
	"slices"
	"time"

	"skep/internal/cell"
	"skep/internal/order"
	"skep/internal/probe"
)

// order tells the keepers of some cells the same thing and waits for each end.
// Stopping goes the way back of starting: one that comes after another is gone
// before the other's button is pressed. Whoever kills wants no order.
func (a *app) order(ctx context.Context, args []string, all bool, do, who string) error {
	names, err := a.namesOf(args, all, a.held)
	if err != nil {
		return err
	}
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	end := func(arg string) error {
		name, err := a.nameOf(dirs, arg)
		if err != nil {
			return err
		}
		if cl, err := reached(dirs, name); err != nil || cl != nil {
			if err != nil {
				return err
			}
			return endOther(ctx, cl, name, do)
		}
		a.adoptFirst(ctx, dirs, name)
		return a.end(ctx, dirs, name, do, who)
	}
	if do == "stop" {
		after := order.Reversed(afterOf(dirs, names))
		// A cycle is told where cells start; here its members go in any order.
		names, _ = order.Sort(names, after)
		end = waiting(names, after, end)
	}
	return a.eachOf(names, len(names), end)
}

// longestStop is how long all of some cells may take to stop, and the cell that
// is the last then: each waits for those that come after it.
func longestStop(cells []*cell.Cell) (last *cell.Cell, took time.Duration) {
	byName := map[string]*cell.Cell{}
	var names []string
	after := map[string][]string{}
	for _, c := range cells {
		byName[c.Name] = c
		names = append(names, c.Name)
		after[c.Name] = slices.Clone(c.After)
	}
	before := order.Reversed(after)
	names, _ = order.Sort(names, before)
	ends := map[string]time.Duration{}
	for _, name := range names {
		c := byName[name]
		for _, dependent := range before[name] {
			ends[name] = max(ends[name], ends[dependent])
		}
		ends[name] += c.StopTimeout
		if last == nil || ends[name] > took {
			last, took = c, ends[name]
		}
	}
	return last, took
}
