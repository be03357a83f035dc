package cli

import (
	"context"
	"path/filepath"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/layout"
	"skep/internal/probe"
	"skep/internal/store"
)

// runOptions are the flags of run.
type runOptions struct {
	quiet, rm bool
	limit     time.Duration // 0 for the file's
	name      string
	from      string // a template
	job       jobOptions
	results   string
	pool      string // a pool that a cell is taken of
}

// runAs runs a cell in the foreground, under another name and for one run only
// where the flags say so.
func (a *app) runAs(ctx context.Context, find source, o runOptions) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	c, err := find(host.Facts{}) // named: read already
	if err != nil {
		return err
	}
	if err := o.settleJob(c); err != nil {
		return err
	}
	if err := a.below(o.job.parent, o.job.is); err != nil {
		return err
	}
	if o.name != "" {
		if c, err = a.underName(dirs, c, o.name); err != nil {
			return err
		}
	}
	if o.rm {
		if err := a.forgetTry(ctx, dirs, c, o); err != nil {
			return err
		}
		if err := throwaway(dirs, c.Name); err != nil {
			return err
		}
	}
	if o.limit > 0 {
		limited := *c
		limited.TimeLimit = o.limit
		c = &limited
	}
	return a.runTask(ctx, dirs, c, o)
}

// underName is a cell under the name of --name. A name that another cell has is
// refused: they would share logs and UEFI variables.
func (a *app) underName(dirs host.Dirs, c *cell.Cell, name string) (*cell.Cell, error) {
	if err := plainName(name); err != nil {
		return nil, err
	}
	if name == c.Name {
		return c, nil
	}
	file := dirs.CellFile(name)
	s, _, err := store.View(dirs).ReadState(name)
	switch {
	case exists(file):
		return nil, fault.Cannot(fault.Input, "choose another name", "use the name", name, "%s is a cell of that name", file)
	case err == nil && !s.Since.IsZero() && s.File != c.File:
		return nil, fault.Cannot(fault.Input, "choose another name; skep rm "+name+" forgets that cell", "use the name", name, "another cell has it")
	}
	return c.Renamed(name), nil
}

// throwaway refuses to run a cell for once that has UEFI variables of earlier
// runs: forgetting it would remove them, and nobody asked for that by name.
func throwaway(dirs host.Dirs, name string) error {
	dir := store.View(dirs).StateDir(name)
	for _, vars := range []string{layout.Vars, layout.VarsSecure} {
		if exists(filepath.Join(dir, vars)) {
			return fault.New(fault.Input, "skep run --rm --name NAME runs it under a name of its own; skep rm "+name+" removes them",
				"forget %s after this run: it has UEFI variables of earlier ones", name)
		}
	}
	return nil
}

// forgetRun removes what one run has left.
func (a *app) forgetRun(ctx context.Context, dirs host.Dirs, name string) error {
	st, lock, err := a.lockIdle(context.WithoutCancel(ctx), dirs, name, "forget")
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if _, _, err := st.Forget(name); err != nil {
		return fault.Wrap(fault.Host, err, "", "forget all of %s", name)
	}
	return nil
}
