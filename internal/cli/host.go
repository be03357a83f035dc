package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
	"skep/internal/version"
)

// doctorJSON is what doctor writes and plan --host reads.
type doctorJSON struct {
	Version int         `json:"version"`
	Status  host.Status `json:"status"`
	Rows    []host.Row  `json:"rows"`
	Facts   host.Facts  `json:"facts"`
}

func (a *app) doctor() *cobra.Command {
	var asProgram, node bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host has, what follows, and what would fix it",
		Long: `Look at this host: each fact, what follows from it and, where something is
missing, the command that fixes it. The status is 1 when no cell could run.
--json writes the facts that plan --host reads.

--node is for the health check of a batch system: nothing is tried and nothing is
said where cells can run here and no dead keeper has left anything.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if node {
				if asProgram {
					return usage("--node cannot be combined with --json")
				}
				return a.healthy(cmd.Context())
			}
			f, err := a.probeAll(cmd.Context())
			if err != nil {
				return err
			}
			rows := append(host.Doctor(f), a.trustRows()...)
			worst := host.Worst(rows)
			if asProgram {
				if err := a.json(doctorJSON{1, worst, rows, f}); err != nil {
					return err
				}
			} else if err := a.printRows(rows); err != nil {
				return err
			}
			if worst == host.Fail {
				return shownError{fault.Host}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs, and for plan --host")
	cmd.Flags().BoolVar(&node, "node", false, "say only what keeps cells from running on this node")
	return cmd
}

func (a *app) printRows(rows []host.Row) error {
	w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		line := fmt.Sprintf("%s\t%s\t%s", r.Status, r.Topic, cell.Printable(r.Fact))
		if r.Consequence != "" {
			line += ": " + cell.Printable(r.Consequence)
		}
		fmt.Fprintln(w, line)
		if r.Fix != "" {
			fmt.Fprintf(w, "\t\tfix: %s\n", cell.Printable(r.Fix))
		}
	}
	return w.Flush()
}

func (a *app) sweep() *cobra.Command {
	var asProgram bool
	var job string
	cmd := &cobra.Command{
		Use:   "sweep [NAME… | --job ID]",
		Short: "Release what dead keepers have left",
		Long: `Release what a journal names and no living keeper holds. Cells that a keeper
holds are left alone, and so is everything that holds a guest's data. A guest
whose keeper has died is ended; skep adopt keeps it instead.

--job is for the prolog and epilog of a batch system: what is left of the cells of
that job is ended, whether or not a keeper holds it, released, and forgotten where
skep run had --rm. Nothing is adopted.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("job") {
				if len(args) > 0 || asProgram {
					return usage("--job cannot be combined with names or --json")
				}
				return a.sweepJob(cmd.Context(), job)
			}
			return a.sweepCells(cmd.Context(), args, asProgram)
		},
		ValidArgsFunction: a.completeNames,
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	cmd.Flags().StringVar(&job, "job", "", "end and release all that is left of the job of this `number`")
	return cmd
}

func (a *app) sweepCells(ctx context.Context, args []string, asProgram bool) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	names := []string{}
	expanded, err := a.expand(dirs, args)
	if err != nil {
		return err
	}
	for _, arg := range expanded {
		n, err := a.nameOf(dirs, arg)
		if err == nil {
			err = a.mustKnow(dirs, n)
		}
		if err != nil {
			return err
		}
		names = append(names, n)
	}
	st, err := store.Open(dirs)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		if names, err = st.RunNames(); err != nil {
			return err
		}
	}
	all := []keeper.Swept{}
	var errs []error
	for _, n := range names {
		swept, held, err := keeper.Sweep(ctx, st, n)
		if err != nil {
			errs = append(errs, fault.Wrap(fault.Host, err, "", "sweep %s", n))
		}
		if held {
			continue
		}
		all = append(all, swept)
		if !asProgram {
			for _, id := range swept.Released {
				a.printf("%s: released %s\n", n, id)
			}
			for _, found := range swept.Found {
				a.note("%s: break-in: %s", n, found)
			}
			if swept.Torn {
				a.note("%s: the journal's last line was not whole and is passed over", n)
			}
		}
	}
	if asProgram {
		if err := a.json(struct {
			Version int            `json:"version"`
			Cells   []keeper.Swept `json:"cells"`
		}{1, all}); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

func (a *app) version() *cobra.Command {
	var asProgram bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if asProgram {
				return a.json(struct {
					Schema   int    `json:"schema"`
					Version  string `json:"version"`
					Revision string `json:"revision"`
					Go       string `json:"go"`
					OS       string `json:"os"`
					Arch     string `json:"arch"`
				}{1, version.String(), version.Revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH})
			}
			a.printf("skep %s %s/%s\n", version.String(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

func (a *app) screenshot() *cobra.Command {
	var output string
	o := shotOptions{sheet: true}
	cmd := &cobra.Command{
		Use:   "screenshot NAME",
		Short: "Save a guest's screen as a PNG",
		Long: `Save the screen of a running guest as a PNG, to NAME.png or to the file that --output names (- for standard output).

With --every pictures are taken one after the other until the guest ends or this is
interrupted, into the directory that --output names, and a contact sheet of them;
with --changed only those that differ from the one before are kept.`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			name, err := a.nameOf(dirs, args[0])
			if err != nil {
				return err
			}
			cl, err := reached(dirs, name)
			if err == nil && (cl == nil || cmd.Flags().Changed("every")) {
				err = a.mustKnow(dirs, name)
			}
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("every") {
				if o.dir = output; output == "" || output == "-" {
					return usage("--every needs a directory: -o DIR")
				}
				return a.shoot(cmd.Context(), dirs, name, o)
			}
			if cl == nil {
				cl, err = keeper.Dial(store.View(dirs).RunDir(name))
			}
			if err != nil {
				return fault.Cannot(fault.Host, "skep up "+name+" starts it", "take a screenshot of", name, "it is not running")
			}
			defer cl.Close()
			png, err := cl.Ask(cmd.Context(), "screenshot", "skep screenshot")
			if err != nil {
				return otherFault(err, "take a screenshot of", name)
			}
			return a.save(png, output, name+".png")
		},
		ValidArgsFunction: a.completeNames,
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write, - for standard output; with --every a directory")
	cmd.Flags().BoolVar(&o.changed, "changed", false, "with --every: only pictures that differ")
	o.flags(cmd)
	return cmd
}

// readBounded reads a cell file from a stream.
func readBounded(r io.Reader) ([]byte, error) {
	src, err := io.ReadAll(io.LimitReader(r, maxCellFile+1))
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "read the cell file")
	}
	return src, nil
}
