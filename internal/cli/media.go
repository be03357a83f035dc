package cli

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

// noMedium leaves a drive empty.
const noMedium = "none"

func (a *app) media() *cobra.Command {
	return &cobra.Command{
		Use:   "media NAME DRIVE FILE|none",
		Short: "Change the disc in a drive of a running cell",
		Long: `Put an ISO image into a drive of a running cell, a disk with iso = …, or leave the
drive empty: none. What is in it goes, whether or not the guest has locked it.
The hypervisor is handed a descriptor and opens nothing. With the next start the
image of the cell file is in the drive again.

On FreeBSD it is refused: bhyve opens what is in a drive when it starts.`,
		ValidArgsFunction: a.completeDrives,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 3 {
				return usage("run skep media: name a cell, a drive and a file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			a.adoptFirst(cmd.Context(), dirs, args[0])
			c, err := a.loadRunning(dirs, args[0])
			if err != nil {
				return err
			}
			path := ""
			if args[2] != noMedium {
				if path, err = filepath.Abs(args[2]); err != nil {
					return fault.Wrap(fault.Input, err, "", "use the image %s", args[2])
				}
			}
			st := store.View(dirs)
			if !st.Held(c.Name) {
				return fault.New(fault.Input, "iso = … in the cell file says what is in it at the start", "change the medium in %q of %s: it does not run", args[1], c.Name)
			}
			cl, err := keeper.Dial(st.RunDir(c.Name))
			if err != nil {
				return fault.Wrap(fault.Host, err, "skep ps shows what it does", "change the medium in %q of %s", args[1], c.Name)
			}
			defer cl.Close()
			err = cl.ChangeMedium(cmd.Context(), args[1], path)
			keeper.NameHolders(st, err)
			return err
		},
	}
}

// completeDrives completes a running cell, a drive of it, and a file.
func (a *app) completeDrives(cmd *cobra.Command, args []string, typed string) (names []string, d cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.completeNames(cmd, args, typed)
	case 1:
		c, err := a.loadRunning(probe.DirsFor(probe.Options{Dirs: a.dirs}), args[0])
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for _, d := range c.Disks {
			if d.ISO != "" && strings.HasPrefix(d.Label, typed) {
				names = append(names, d.Label)
			}
		}
		slices.Sort(names)
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault
}
