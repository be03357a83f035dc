package cli

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/plan"
	"skep/internal/probe"
)

// diskRow is one disk of disk ls.
type diskRow struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Path     string `json:"path"`
	Size     *int64 `json:"size,omitempty"` // of the file; nothing where it is missing or cannot say
	Used     *int64 `json:"used,omitempty"` // of the host's disk
	ReadOnly bool   `json:"read_only,omitempty"`
	Missing  bool   `json:"missing,omitempty"`
}

func (a *app) diskList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls NAME",
		Short: "List the disks of a cell, and what they take",
		Long: `List the disks of a cell and its UEFI variables: the file or device of each, how
large the file is and what it takes of the host's disk. Nothing of a disk is read.`,
		ValidArgsFunction: a.completeNames,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("run skep disk ls: name a cell")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			c, err := a.loadRunning(dirs, args[0])
			if err != nil {
				return err
			}
			rows := []diskRow{}
			for _, d := range disksOfCell(dirs, c) {
				if r := rowOf(d); !r.Missing || d.Label != varsName {
					rows = append(rows, r)
				}
			}
			if asJSON {
				return a.json(struct {
					Version int       `json:"version"`
					Disks   []diskRow `json:"disks"`
				}{1, rows})
			}
			return a.showDisks(rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for programs")
	return cmd
}

func rowOf(d *plan.Disk) diskRow {
	r := diskRow{Name: d.Label, Path: d.Path, ReadOnly: d.ReadOnly, Type: string(d.Type)}
	switch {
	case d.Results != "":
		r.Type = "results, " + string(d.Results)
	case d.Layer:
		r.Type = "layer, " + string(d.Format)
	case d.Type == plan.DiskFile && d.Format != "":
		r.Type = string(d.Format)
	}
	info, err := os.Stat(d.Path)
	if err != nil {
		r.Missing = true
		return r
	}
	if info.Mode().IsRegular() {
		size, used := info.Size(), disk.Used(info)
		r.Size, r.Used = &size, &used
	}
	return r
}

func (a *app) showDisks(rows []diskRow) error {
	w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	size := func(n *int64) string {
		if n == nil {
			return "-"
		}
		return rounded(*n)
	}
	fmt.Fprintln(w, "NAME\tTYPE\tSIZE\tUSED\tPATH")
	for _, r := range rows {
		path := cell.Printable(r.Path)
		if r.Missing {
			path += " (missing)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Name, r.Type, size(r.Size), size(r.Used), path)
	}
	if err := w.Flush(); err != nil {
		return fault.Wrap(fault.Host, err, "", "write the list")
	}
	return nil
}

// rounded is a number of bytes in the unit that leaves up to three digits and one behind the point.
func rounded(n int64) string {
	units := []string{"K", "M", "G", "T"}
	f := float64(n) / 1024
	for i, u := range units {
		if f < 1000 || i == len(units)-1 {
			return fmt.Sprintf("%.1f%s", f, u)
		}
		f /= 1024
	}
	return ""
}
