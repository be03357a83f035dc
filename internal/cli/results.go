package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/results"
	"skep/internal/store"
)

// resultsFlags are the flags of results.
type resultsFlags struct {
	disk    string
	tar     bool
	files   int
	maxSize string
	// Of tasks that have landed:
	summary, json bool
	svg           string
}

func (a *app) results() *cobra.Command {
	var o resultsFlags
	cmd := &cobra.Command{
		Use:   "results NAME DIR | --summary DIR",
		Short: "Bring out what a guest has written to its results disk",
		Long: `Bring out what a guest has written to the disk of its results block, into a
directory that is not there yet or is empty, or with --tar into an archive ("-" is
the standard output). The disk stays as it is.

A reader in a jail of its own reads the disk, and has nothing else. Plain files
and directories come out, that nobody else may read and nobody can execute; links,
devices, paths that lead out of the directory and names with control characters
are left out, and said. So is what goes beyond the bounds: a number of files, and
bytes of all files together, as many as the disk has unless it is said.

The guest of a running cell is paused meanwhile; what it has not written to the
disk by then, as sync(1) does, is not there.

--summary prints a table of what skep run --results has written to a directory: a
line for each task and one for all, and with --svg a picture of them.`,
		ValidArgsFunction: a.completeResults,
		Args: func(_ *cobra.Command, args []string) error {
			if o.summary {
				if len(args) != 1 {
					return usage("skep results --summary takes one directory, got %d", len(args))
				}
				return nil
			}
			if o.svg != "" || o.json {
				return usage("--svg and --json are for --summary")
			}
			if len(args) != 2 {
				return usage("run skep results: name a cell and a directory")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.summary {
				return a.summarize(args[0], o)
			}
			return a.bringOut(cmd.Context(), args[0], args[1], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.disk, "disk", "", "the `name` of the results block, where there are several")
	f.BoolVar(&o.tar, "tar", false, "write a tar archive of that name")
	f.IntVar(&o.files, "max-files", results.DefFiles, "how many files and directories at most")
	f.BoolVar(&o.summary, "summary", false, "print a table of the tasks that have landed in a directory")
	f.BoolVar(&o.json, "json", false, "with --summary: for programs")
	f.StringVar(&o.svg, "svg", "", "with --summary: draw them into this `file`")
	f.StringVar(&o.maxSize, "max-size", "", "how large all files together may be, such as 1G")
	return cmd
}

func (a *app) bringOut(ctx context.Context, name, to string, o resultsFlags) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	a.adoptFirst(ctx, dirs, name)
	c, err := a.loadRunning(dirs, name)
	if err != nil {
		return err
	}
	d, err := resultsDisk(dirs, c, o.disk)
	if err != nil {
		return err
	}
	b, err := o.bounds(d)
	if err != nil {
		return err
	}
	st, err := store.Open(dirs)
	if err != nil {
		return err
	}
	var report results.Report
	sink, done, err := a.sink(to, o.tar)
	if err != nil {
		return err
	}
	read := func(locked bool) (err error) {
		if report, err = a.readResults(ctx, c, d, b, sink, locked); err != nil {
			keeper.NameHolders(st, err)
		}
		return err
	}
	err = errors.Join(a.still(ctx, st, c.Name, read), done())
	if err != nil {
		return err
	}
	return a.sayResults(c.Name, report)
}

// still does something while nothing writes to the disks of a cell.
func (a *app) still(ctx context.Context, st *store.Store, name string, read func(locked bool) error) error {
	if !st.Held(name) {
		lock, err := st.LockCell(name)
		if err != nil {
			return err
		}
		defer lock.Unlock()
		return read(true)
	}
	cl, err := keeper.Dial(st.RunDir(name))
	if err != nil {
		return fault.Wrap(fault.Host, err, "skep ps shows what it does", "pause %s", name)
	}
	defer cl.Close()
	begin := time.Now()
	if err := cl.Paused(ctx, "skep results", func() error { return read(false) }); err != nil {
		return err
	}
	a.note("%s was paused for %s", name, time.Since(begin).Round(time.Millisecond))
	return nil
}

// resultsDisk is the disk of a results block.
func resultsDisk(dirs host.Dirs, c *cell.Cell, label string) (*plan.Disk, error) {
	switch {
	case len(c.Results) == 0:
		return nil, fault.New(fault.Input, `results "out" { size = "256M" } in the cell file gives it one`, "bring out the results of %s: it has no results block", c.Name)
	case label == "" && len(c.Results) > 1:
		return nil, fault.New(fault.Input, "--disk "+c.Results[0].Label+" names one", "bring out the results of %s: it has %d results blocks", c.Name, len(c.Results))
	case label == "":
		label = c.Results[0].Label
	}
	d, err := findDisk(dirs, c, label)
	if err == nil && d.Results == "" {
		err = fault.New(fault.Input, "skep disk copy copies a disk", "bring out results from disk %q of %s: it is not of a results block", label, c.Name)
	}
	if err == nil && !exists(d.Path) {
		err = fault.New(fault.Input, "skep up "+c.Name+" starts it", "bring out the results of %s: it has not run yet", c.Name)
	}
	return d, err
}

func (o resultsFlags) bounds(d *plan.Disk) (results.Bounds, error) {
	b := results.Bounds{Files: o.files, Size: int64(d.Create)}
	if info, err := os.Stat(d.Path); err == nil {
		b.Size = info.Size()
	}
	if o.files < 1 || o.files > results.MaxFiles {
		return b, usage("--max-files must be from 1 to %d, got %d", results.MaxFiles, o.files)
	}
	if o.maxSize == "" {
		return b, nil
	}
	size, err := cell.ParseSize(o.maxSize)
	if err != nil || size <= 0 || int64(size) > math.MaxInt64/4 {
		return b, usage("--max-size must be a size such as 1G, got %q", o.maxSize)
	}
	b.Size = int64(size)
	return b, nil
}

// sink is where results go; done ends it.
func (a *app) sink(to string, asTar bool) (sink results.Sink, done func() error, err error) {
	if asTar {
		w := io.Writer(a.out)
		end := func() error { return nil }
		if to != "-" {
			f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return nil, nil, fault.Wrap(fault.Input, unwrapPath(err), "name a file that is not there yet", "write %s", to)
			}
			w, end = f, f.Close
		}
		archive := results.NewArchive(w)
		return archive, func() error { return errors.Join(archive.Close(), end()) }, nil
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return nil, nil, fault.Wrap(fault.Input, unwrapPath(err), "name a directory that is not there yet, or an empty one", "write to %s", to)
	}
	if entries, err := os.ReadDir(to); err != nil || len(entries) > 0 {
		return nil, nil, fault.New(fault.Input, "name a directory that is not there yet, or an empty one", "write to %s: it is not empty", to)
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Input, unwrapPath(err), "", "write to %s", to)
	}
	return results.Dir{Root: root}, root.Close, nil
}

func unwrapPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// sayResults says what came out, and what did not.
func (a *app) sayResults(name string, r results.Report) error {
	for _, l := range r.Left {
		a.note("left out: %s: %s", cell.Printable(l.Path), cell.Printable(l.Why))
	}
	if more := r.LeftOut - len(r.Left); more > 0 {
		a.note("left out: %d more", more)
	}
	a.note("%s: %d files, %d directories, %d bytes", name, r.Files, r.Dirs, r.Size)
	if r.More != "" {
		return fault.Fail(fault.Host, "--max-files and --max-size allow more", "the results of %s are not complete: left out is %s", name, cell.Printable(r.More))
	}
	return nil
}

// completeResults completes a cell, and then a directory.
func (a *app) completeResults(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return a.completeNames(cmd, args, typed)
}
