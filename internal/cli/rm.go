package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/store"
)

// allDisks is what --disks means without a value.
const allDisks = "*"

func (a *app) rm() *cobra.Command {
	var disks []string
	var yes bool
	cmd := &cobra.Command{
		Use:   "rm NAME…",
		Short: "Forget cells that do not run: state, logs, UEFI variables",
		Long: `Forget cells that do not run: their last state, their logs and their UEFI
variables are removed. The cell file stays, and so do disks, unless they are
asked for: --disks removes all that "skep disk rm" would, --disks=root,data
those disks. Then the cell's name is asked for, unless --yes is given.`,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("no cell given; name one")
			}
			if len(disks) > 0 && len(args) > 1 {
				return usage("--disks takes one cell")
			}
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			args, err := a.expand(dirs, args)
			if err != nil {
				return err
			}
			return a.eachOf(args, 1, func(arg string) error {
				return a.forget(cmd.Context(), dirs, arg, disks, yes)
			})
		},
	}
	cmd.Flags().StringSliceVar(&disks, "disks", nil, "remove its disks too: all that it may write to, or those named")
	cmd.Flags().Lookup("disks").NoOptDefVal = allDisks
	cmd.Flags().BoolVar(&yes, "yes", false, "with --disks, do not ask")
	return cmd
}

// forget removes what is kept of one cell, and its disks where they are named.
func (a *app) forget(ctx context.Context, dirs host.Dirs, arg string, disks []string, yes bool) error {
	name, err := a.nameOf(dirs, arg)
	if err == nil {
		err = a.mustKnow(dirs, name)
	}
	if err != nil {
		return err
	}
	var chosen []*plan.Disk
	if len(disks) > 0 {
		if chosen, err = a.disksOf(dirs, arg, disks); err != nil {
			return err
		}
	}
	st, lock, err := a.lockIdle(ctx, dirs, name, "forget")
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if len(chosen) > 0 && !yes {
		if err := a.confirm(name, chosen); err != nil {
			return err
		}
	}
	// Layers are disks: they go by their names, and before what stays is looked at.
	if err := a.removeDisks(st, chosen); err != nil {
		return err
	}
	removed, kept, err := st.Forget(name)
	for _, path := range removed {
		a.printf("%s\n", cell.Printable(path))
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "forget all of %s", name)
	}
	for _, path := range kept {
		if why := staysAs(path, name); why != "" {
			a.note("%s stays: %s", path, why)
		}
	}
	if file := dirs.CellFile(name); exists(file) {
		a.note("%s stays: skep removes no cell files", file)
	}
	return nil
}

// staysAs says why a file of a forgotten cell is still there; "" of one that only says something of a disk.
func staysAs(path, name string) string {
	switch base := filepath.Base(path); {
	case layout.IsCapture(base):
		return "it holds the guest's frames"
	case base == layout.Evidence:
		return "it holds the evidence of its runs"
	case filepath.Ext(base) == ".json":
		return ""
	}
	return "it is a disk; skep rm --disks " + name + " removes it"
}

// disksOf are the disks of a cell that --disks names, but for the UEFI
// variables, which go anyway.
func (a *app) disksOf(dirs host.Dirs, arg string, names []string) ([]*plan.Disk, error) {
	c, err := a.load(dirs, arg)
	if err != nil {
		return nil, err
	}
	if slices.Contains(names, allDisks) {
		names = nil
	}
	chosen, err := chosenDisks(dirs, c, names)
	return slices.DeleteFunc(chosen, func(d *plan.Disk) bool { return d.Label == varsName }), err
}

// lockIdle takes the lock of a cell that does not run, so that it is not
// started meanwhile, and clears away what a dead keeper has left of it.
func (a *app) lockIdle(ctx context.Context, dirs host.Dirs, name, do string) (*store.Store, *store.Lock, error) {
	st, err := store.Open(dirs)
	if err != nil {
		return nil, nil, err
	}
	if st.Held(name) || keeper.Orphaned(st, name) {
		return nil, nil, fault.New(fault.Input, "skep down "+name+" stops it", "%s %s: it is running", do, name)
	}
	if _, _, err := keeper.Sweep(ctx, st, name); err != nil {
		return nil, nil, fault.Wrap(fault.Host, err, "", "release what %s held", name)
	}
	lock, err := st.LockCell(name)
	return st, lock, err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
