package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

// jobID is what the number of a job, or of one of an array's, is made of.
func jobID(id string) error {
	const possible = "0123456789abcdefABCDEF-_."
	if id == "" || len(id) > 64 || strings.Trim(id, possible) != "" {
		return usage("--job must be a job's number such as 121, 120_7 or 12.0, got %q", id)
	}
	return nil
}

// sweepJob ends what a job has left, releases it, and forgets what was to be forgotten. A job that has left
// nothing, or had no cell here, is no error.
func (a *app) sweepJob(ctx context.Context, id string) error {
	if err := jobID(id); err != nil {
		return err
	}
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	st := store.View(dirs)
	names, err := st.Names()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		s, held, err := st.ReadState(name)
		if err != nil {
			if st.HasJournal(name) {
				errs = append(errs, fault.Wrap(fault.Host, err, "skep sweep "+name+" releases it", "tell whose job %s is", name))
			}
			continue
		}
		if !s.Job.Is(id) {
			continue
		}
		if held || st.HasJournal(name) || keeper.Orphaned(st, name) {
			if err := a.end(ctx, dirs, name, "kill", "skep sweep --job"); err != nil {
				errs = append(errs, err)
				continue
			}
			a.printf("%s: ended and released\n", name)
		}
		if s.Job.Once {
			if err := a.forgetRun(ctx, dirs, name); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// healthy says what keeps cells from running on this node, and nothing where nothing does.
func (a *app) healthy(ctx context.Context) error {
	f, err := a.probe(ctx, false)
	if err != nil {
		return err
	}
	var wrong []string
	for _, r := range append(host.Doctor(f), a.trustRows()...) {
		if r.Status == host.Fail {
			wrong = append(wrong, r.Topic+": "+r.Fact)
		}
	}
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	if err := store.Usable(dirs); err != nil {
		wrong = append(wrong, err.Error())
	}
	left, err := leftovers(dirs)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		wrong = append(wrong, fmt.Sprintf("left by dead keepers: %s; skep sweep releases it", strings.Join(left, ", ")))
	}
	if len(wrong) == 0 {
		return nil
	}
	for _, w := range wrong {
		a.printf("%s\n", cell.Printable(w))
	}
	return shownError{fault.Host}
}

// leftovers are the cells that have a journal and no keeper.
func leftovers(dirs host.Dirs) ([]string, error) {
	st := store.View(dirs)
	names, err := st.RunNames()
	return slices.DeleteFunc(names, func(n string) bool { return st.Held(n) || !st.HasJournal(n) }), err
}
