package cli

import (
	"context"

	"github.com/spf13/cobra"

	"skep/internal/background"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) adoptCells() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "adopt NAME… | --all",
		Short: "Keep guests whose keeper has died",
		Long: `Start a new keeper for each guest that runs on though its keeper has died. The
guest notices nothing: its hypervisor, console, disks and network stay as they
are, and from then on it is stopped, started again and audited as before.

A cell that has a keeper is left alone. Other verbs that act on a cell (up, down,
console, pause …) adopt it first; ps, show and audit only look.`,
		ValidArgsFunction: a.completeNames,
	}
	cmd.Flags().BoolVar(&all, "all", false, "every guest without a keeper")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
		names, err := a.namesOf(args, all, func() ([]string, error) { return orphans(dirs) })
		if err != nil {
			return err
		}
		return a.each(names, func(arg string) error {
			name, err := a.nameOf(dirs, arg)
			if err != nil {
				return err
			}
			return a.adoptOne(cmd.Context(), dirs, name)
		})
	}
	return cmd
}

// orphans are the cells whose guest runs without a keeper.
func orphans(dirs host.Dirs) ([]string, error) {
	st := store.View(dirs)
	names, err := st.RunNames()
	var all []string
	for _, n := range names {
		if keeper.Orphaned(st, n) {
			all = append(all, n)
		}
	}
	return all, err
}

// adoptOne adopts a cell that is named. One that has a keeper needs none.
func (a *app) adoptOne(ctx context.Context, dirs host.Dirs, name string) error {
	st := store.View(dirs)
	switch {
	case st.Held(name):
		a.note("%s has a keeper", name)
		return nil
	case keeper.Orphaned(st, name):
		facts, err := a.probe(ctx, false)
		if err != nil {
			return err
		}
		return a.adopt(ctx, facts, st, name)
	}
	if err := a.mustKnow(dirs, name); err != nil {
		return err
	}
	return fault.Cannot(fault.Host, "skep up "+name+" starts it", "adopt", name, "it is not running")
}

// adopt starts a keeper for a guest whose own has died.
func (a *app) adopt(ctx context.Context, facts host.Facts, st *store.Store, name string) error {
	s, _, err := st.ReadDetail(name)
	if err != nil || s.Cell == nil {
		return fault.Wrap(fault.Host, err, "skep sweep "+name+" ends it", "adopt %s: its state cannot be read", name)
	}
	a.note("the keeper of %s has died; another one adopts it", name)
	return a.spawn(background.Handover{Cell: s.Cell, Facts: facts, Adopt: true})
}

// adoptFirst adopts a cell that another verb is about to act on, if its guest runs without a keeper. What
// fails is said; whether the verb can do its work all the same is the verb's to find out.
func (a *app) adoptFirst(ctx context.Context, dirs host.Dirs, name string) {
	st := store.View(dirs)
	if !keeper.Orphaned(st, name) {
		return
	}
	facts, err := a.probe(ctx, false)
	if err == nil {
		err = a.adopt(ctx, facts, st, name)
	}
	if err != nil {
		a.note("%s", err)
	}
}
