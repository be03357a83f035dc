package cli

import (
	"context"
	"strings"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/order"
	"skep/internal/probe"
	"skep/internal/store"
)

// startBoot starts every cell whose file says start = "boot". One that is
// wrong keeps none of the others down, and one that runs already is left alone,
// so that it may be said again once the wrong one is fixed.
func (a *app) startBoot(ctx context.Context) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	if err := trustedDir(dirs); err != nil {
		return err
	}
	cells, bad := a.bootCells(dirs)
	st := store.View(dirs)
	var names []string
	after := map[string][]string{}
	for _, c := range cells {
		after[c.Name] = c.After
		if st.Held(c.Name) {
			a.note("%s is running already", c.Name)
			continue
		}
		names = append(names, c.Name)
	}
	a.warnOfShutdown(ctx, cells)
	a.awaitQEMU(ctx, len(names))
	err := a.startAll(names, after, func(name string) error { return a.start(ctx, name, true) })
	if err == nil && bad != fault.OK {
		return shownError{bad}
	}
	return err
}

// A host that is booting may be too busy for its QEMU to say its version in
// time. That passes, and nobody is there to say "up --boot" again.
const (
	bootTries = 4
	bootPause = 20 * time.Second
)

// awaitQEMU looks again where a QEMU is there and has not answered. What is
// wrong otherwise is said by each start.
func (a *app) awaitQEMU(ctx context.Context, cells int) {
	for try := 1; cells > 0 && try < bootTries; try++ {
		f, err := a.probe(ctx, false)
		if err != nil || f.Linux == nil || !f.Linux.QEMULate() {
			return
		}
		a.note("%s; it is asked again in %s", f.Linux.QEMUReason(), bootPause)
		a.lookAgain()
		select {
		case <-time.After(bootPause):
		case <-ctx.Done():
			return
		}
	}
}

// startAll starts cells in their order, some at once.
func (a *app) startAll(names []string, after map[string][]string, start func(string) error) error {
	names, cycles := order.Sort(names, after)
	for _, cycle := range cycles {
		a.note("warning: %s: each is to start after the other; they start in any order", strings.Join(cycle, ", "))
	}
	return a.each(names, waiting(names, after, start))
}

// afterOf reads which of some cells come after which. A file that cannot be
// read has no order; its start says what is wrong with it.
func afterOf(dirs host.Dirs, names []string) map[string][]string {
	after := map[string][]string{}
	if len(names) < 2 {
		return after
	}
	args := map[string]string{} // a cell's name to what the command line calls it
	var cells []*cell.Cell
	for _, n := range names {
		if c := peek(dirs, n); c != nil && args[c.Name] == "" {
			args[c.Name] = n
			cells = append(cells, c)
		}
	}
	for _, c := range cells {
		for _, first := range c.After {
			if n, ok := args[first]; ok {
				after[args[c.Name]] = append(after[args[c.Name]], n)
			}
		}
	}
	return after
}

// bootCells reads the cell files that are to start with the host. bad is the
// status that the first file which cannot be used stands for; why was shown.
func (a *app) bootCells(dirs host.Dirs) (cells []*cell.Cell, bad fault.Code) {
	for _, name := range cellFiles(dirs) {
		c, err := a.load(dirs, name)
		if err == nil {
			if c.Start == cell.StartBoot {
				cells = append(cells, c)
			}
			continue
		}
		if code := fault.Code(a.fail(err)); bad == fault.OK {
			bad = code
		}
	}
	return cells, bad
}

// waiting makes each name wait for those that it comes after, as far as they
// are among the names. It is an order only: one that fails holds up nobody.
func waiting(names []string, after map[string][]string, do func(string) error) func(string) error {
	done := make(map[string]chan struct{}, len(names))
	for _, n := range names {
		done[n] = make(chan struct{})
	}
	return func(name string) error {
		defer close(done[name])
		for _, first := range after[name] {
			if ch := done[first]; ch != nil {
				<-ch
			}
		}
		return do(name)
	}
}
