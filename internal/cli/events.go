package cli

import (
	"context"
	"encoding/json"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/events"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/layout"
	"skep/internal/probe"
)

func (a *app) events() *cobra.Command {
	var follow, asProgram bool
	cmd := &cobra.Command{
		Use:   "events [NAME…]",
		Short: "Show what has happened to cells",
		Long: `Show what has happened to cells, by time: starts and ends with their reasons, resets,
failing disks, refused calls, viewers, commands, and what a network in user space
saw. Without a name all cells that have run are meant. With -f those events
follow that come, until it is interrupted.

--json writes a line of JSON for each. The lines of a cell's own events are
chained: each holds the SHA-256 of the line before, as the file in the state
directory has it. The last few megabytes of each cell are kept.`,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			var names []string
			for _, arg := range args {
				name, err := a.nameOf(dirs, arg)
				if err == nil {
					err = a.mustKnow(dirs, name)
				}
				if err != nil {
					return err
				}
				names = append(names, name)
			}
			return a.showEvents(cmd.Context(), dirs, names, follow, asProgram)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes")
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

// eventPause is how often new events are looked for.
const eventPause = 200 * time.Millisecond

func (a *app) showEvents(ctx context.Context, dirs host.Dirs, names []string, follow, asProgram bool) error {
	if follow {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
		defer stop()
	}
	left := readerGone(ctx, a.out)
	readers := map[string]*events.Reader{}
	for {
		of := names
		if len(of) == 0 {
			var err error
			if of, err = eventCells(dirs); err != nil {
				return err
			}
		}
		var all []events.Event
		for _, name := range of {
			if readers[name] == nil {
				readers[name] = eventReader(dirs, name)
			}
			some, err := readers[name].Next()
			if err != nil {
				return fault.Wrap(fault.Host, err, "", "read the events of %s", name)
			}
			all = append(all, some...)
		}
		slices.SortStableFunc(all, func(a, b events.Event) int { return a.Time.Compare(b.Time) })
		for _, e := range all {
			if err := a.showEvent(e, asProgram); err != nil {
				return err
			}
		}
		if !follow || a.lost != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-left:
			return nil
		case <-time.After(eventPause):
		}
	}
}

func (a *app) showEvent(e events.Event, asProgram bool) error {
	if asProgram {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		a.printf("%s\n", line)
		return nil
	}
	a.printf("%s %s %s\n", e.Time.Local().Format("2006-01-02 15:04:05.000"), e.Cell, cell.Printable(e.String()))
	return nil
}

func eventReader(dirs host.Dirs, name string) *events.Reader {
	dir := dirs.StateDir(name)
	return events.NewReader(name, filepath.Join(dir, layout.Events), filepath.Join(dir, layout.EventsOld),
		func() []string { return events.NetworkRecords(dir) })
}

// eventCells are the cells that have events.
func eventCells(dirs host.Dirs) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(dirs.StateDirs(), "*", layout.Events))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, path := range found {
		names = append(names, filepath.Base(filepath.Dir(path)))
	}
	return names, nil
}
