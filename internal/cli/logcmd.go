package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/console"
	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/probe"
	"skep/internal/store"
)

// logOptions are the flags of log.
type logOptions struct {
	follow, hypervisor, last, raw bool
	tail                          int // -1 is all
	since                         string
}

func (a *app) log() *cobra.Command {
	var o logOptions
	cmd := &cobra.Command{
		Use:   "log NAME",
		Short: "Print what a guest said on its serial console",
		Long: `Print what a guest said on its serial console, as far as the log's size holds it.
The log stays when the cell is gone. Each start of the cell has a line with its
time: "[skep: started 2026-11-30T09:13:13Z 5f3a9c1d07e2b466]". On a terminal,
what that would obey is shown as escapes; --raw sends it as it is.

--last begins at the last start. --since takes a duration (10m) or a time
(2026-11-30T09:13:13Z, or "2026-11-30 09:13" in local time) and begins at the
start that the cell was running from then: only starts have times, lines have
none. --tail prints the last lines of that. --hypervisor prints what the
hypervisor said of itself; that log has no starts.`,
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("tail") && o.tail < 0 {
				return usage("the number of lines must not be negative, got %d", o.tail)
			}
			return a.logOf(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on until the cell ends, or the reader of the output does")
	f.BoolVar(&o.hypervisor, "hypervisor", false, "the hypervisor's own words")
	f.BoolVar(&o.raw, "raw", false, "escape nothing on a terminal")
	f.BoolVar(&o.last, "last", false, "from the last start")
	f.IntVarP(&o.tail, "tail", "n", -1, "the last `lines` only")
	f.StringVar(&o.since, "since", "", "from the start that the cell was running from at this `time`, or so long ago")
	return cmd
}

func (a *app) logOf(ctx context.Context, arg string, o logOptions) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	name, err := a.nameOf(dirs, arg)
	if err == nil {
		err = a.mustKnow(dirs, name)
	}
	if err != nil {
		return err
	}
	if o.hypervisor && (o.last || o.since != "") {
		return usage("--hypervisor cannot be combined with --last or --since")
	}
	if o.last && o.since != "" {
		return usage("--last cannot be combined with --since")
	}
	st := store.View(dirs)
	file := layout.ConsoleLog
	if o.hypervisor {
		file = layout.HypervisorLog
	}
	path := filepath.Join(st.StateDir(name), file)
	from, err := logFrom(st, name, path, o, time.Now())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	defer catchPipe()()
	return console.Show(a.out, terminal(a.out), o.raw, func(w io.Writer) error {
		return a.printLog(ctx, w, st, name, path, from, o.follow)
	})
}

// logFrom is where in a log to begin.
func logFrom(st *store.Store, name, path string, o logOptions, now time.Time) (from int64, err error) {
	if o.last || o.since != "" {
		if from, err = startOffset(st, name, path, o, now); err != nil {
			return 0, err
		}
	}
	if o.tail < 0 {
		return from, nil
	}
	tail, err := console.TailLines(path, o.tail)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil // printLog says so
	}
	return max(from, tail), err
}

// startOffset is where the start of --last or --since is, or the end of the log
// where the cell did not run since.
func startOffset(st *store.Store, name, path string, o logOptions, now time.Time) (int64, error) {
	var since time.Time
	if o.since != "" {
		var err error
		if since, err = timeOf(o.since, now); err != nil {
			return 0, err
		}
	}
	starts, err := console.Starts(path)
	if err != nil || len(starts) == 0 {
		return 0, nil // of an older skep, or cut away: all of it is of one start
	}
	if o.last {
		return starts[len(starts)-1].Offset, nil
	}
	// It has ended before that: there is nothing of it.
	if s, held, err := st.ReadState(name); err == nil && !held && s.Since.Before(since) {
		info, err := os.Stat(path)
		if err != nil {
			return 0, nil
		}
		return info.Size(), nil
	}
	from := starts[0].Offset
	for _, s := range starts {
		if !s.At.After(since) {
			from = s.Offset
		}
	}
	if starts[0].At.After(since) {
		from = 0 // what is left of an earlier start may be of that time too
	}
	return from, nil
}

// timeForms are the forms of a time on the command line beside RFC 3339; they
// are in local time.
var timeForms = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// timeOf reads a time, or how long ago it was.
func timeOf(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, form := range timeForms {
		if t, err := time.ParseInLocation(form, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("invalid time %q: use 10m, 2h, 2026-11-30 or 2026-11-30T09:13:13Z", s)
}

// printLog writes a log from an offset, and with follow what comes until the
// cell ends or nobody reads any more.
func (a *app) printLog(ctx context.Context, w io.Writer, st *store.Store, name, path string, from int64, follow bool) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return fault.Cannot(fault.Host, "it has not run yet", "read the log of", name, "there is none")
	}
	if err == nil {
		_, err = f.Seek(from, io.SeekStart)
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "read the log of %s", name)
	}
	defer f.Close()
	gone := readerGone(ctx, a.out)
	for {
		live := st.Held(name)
		if _, err := io.Copy(w, f); errors.Is(err, syscall.EPIPE) {
			return nil
		} else if err != nil {
			return err
		}
		if !follow || !live {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-gone:
			return nil
		case <-time.After(200 * time.Millisecond):
		}
		// A log that was cut begins anew.
		if at, err := f.Seek(0, io.SeekCurrent); err == nil {
			if info, err := f.Stat(); err == nil && info.Size() < at {
				_, _ = f.Seek(0, io.SeekStart)
			}
		}
	}
}
