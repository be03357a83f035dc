package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) snapshot() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot NAME [TAG]",
		Short: "Keep what a cell is, to go back to it",
		Long: `Keep what a cell is, under a tag. Of a cell that does not run that are its disks
and UEFI variables; of one that runs, on Linux, its disks and its memory, all as
they are at one moment, in which the guest stands still. Its writable disks have
to be layers or qcow2 images then. On FreeBSD a guest that runs is refused: its
kernel cannot save one.

skep revert goes back. skep snapshot ls NAME lists, skep snapshot rm NAME TAG
removes.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usage("run skep snapshot: name a cell and a tag")
			}
			return nil
		},
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			tag := "at-" + time.Now().Format("20060102-150405")
			if len(args) == 2 {
				tag = args[1]
			}
			return a.withSnapshots(cmd.Context(), args[0], tag, snapshots.make)
		},
	}
	cmd.AddCommand(a.snapshotList(), a.snapshotRemove())
	return cmd
}

func (a *app) revert() *cobra.Command {
	return &cobra.Command{
		Use:   "revert NAME TAG",
		Short: "Go back to a snapshot of a cell",
		Long: `Go back to a snapshot of a cell; what the guest has done since is lost. To one of
its disks alone a cell goes back while it does not run, to one with its memory
while it does: the guest goes on from there, and its network with it. Its own
clock goes on from the snapshot; its RTC is the host's.

A snapshot with memory belongs to the QEMU, the devices and the bases that it
was made with, and is refused with others.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("run skep revert: name a cell and a tag")
			}
			return nil
		},
		ValidArgsFunction: a.completeSnapshots,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSnapshots(cmd.Context(), args[0], args[1], snapshots.revert)
		},
	}
}

func (a *app) snapshotRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME TAG",
		Short: "Remove a snapshot",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("run skep snapshot rm: name a cell and a tag")
			}
			return nil
		},
		ValidArgsFunction: a.completeSnapshots,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSnapshots(cmd.Context(), args[0], args[1], snapshots.remove)
		},
	}
}

func (a *app) snapshotList() *cobra.Command {
	var asProgram bool
	cmd := &cobra.Command{
		Use:               "ls NAME",
		Short:             "List the snapshots of a cell",
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			name, err := a.nameOf(dirs, args[0])
			if err != nil {
				return err
			}
			all, err := store.View(dirs).Snapshots(name)
			if err != nil {
				return err
			}
			if asProgram {
				return a.json(struct {
					Version   int              `json:"version"`
					Snapshots []store.Snapshot `json:"snapshots"`
				}{1, append([]store.Snapshot{}, all.All...)})
			}
			w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "TAG\tMADE\tOF")
			for _, s := range all.All {
				of := "disks"
				if s.Memory {
					of = "disks and memory"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", s.Tag, ago(s.Time), of)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

// completeSnapshots completes a cell, and then the tags of its snapshots.
func (a *app) completeSnapshots(cmd *cobra.Command, args []string, typed string) (tags []string, d cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeNames(cmd, args, typed)
	}
	all, err := store.View(probe.DirsFor(probe.Options{Dirs: a.dirs})).Snapshots(args[0])
	if err == nil && len(args) == 1 {
		for _, s := range all.All {
			if strings.HasPrefix(s.Tag, typed) {
				tags = append(tags, s.Tag)
			}
		}
	}
	return tags, cobra.ShellCompDirectiveNoFileComp
}
