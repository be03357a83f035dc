package cli

import (
	"context"
	"errors"
	"io"
	"math"
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
	"skep/internal/reader"
	"skep/internal/store"
	"skep/internal/tool"
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
	if err != nil {
		return err
	}
	if o.hypervisor && (o.last || o.since != "") {
		return usage("--hypervisor cannot be combined with --last or --since")
	}
	if o.last && o.since != "" {
		return usage("--last cannot be combined with --since")
	}
	cl, err := reached(dirs, name)
	switch {
	case err != nil:
		return err
	case cl != nil:
		return a.logOfOther(ctx, cl, dirs, name, o)
	}
	if err := a.mustKnow(dirs, name); err != nil {
		return err
	}
	st := store.View(dirs)
	file := layout.ConsoleLog
	if o.hypervisor {
		file = layout.HypervisorLog
	}
	path := filepath.Join(st.StateDir(name), file)
	job, err := logJob(st, name, path, o, time.Now())
	if err != nil {
		return err
	}
	log, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return fault.Cannot(fault.Host, "it has not run yet", "read the log of", name, "there is none")
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "read the log of %s", name)
	}
	defer log.Close()
	var missing []string
	if s, _, err := st.ReadDetail(name); err == nil && s.Cell != nil {
		missing = s.Cell.Jail.AllowMissing
	}
	return a.showLog(ctx, name, log, job, o, missing, func() {
		for st.Held(name) {
			time.Sleep(200 * time.Millisecond)
		}
	})
}

// showLog prints a log that is open. ended returns when nothing more will come.
func (a *app) showLog(ctx context.Context, name string, log *os.File, job reader.LogJob, o logOptions, missing []string, ended func()) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	defer catchPipe()()
	screen := terminal(a.out)
	job.Escape = screen != nil && !o.raw
	if job.Escape {
		screen = nil // escaped already
	}
	return console.Show(a.out, screen, o.raw, func(w io.Writer) error {
		if job.Escape {
			w = &console.Harmless{W: w}
		}
		return a.printLog(ctx, w, name, log, job, missing, ended)
	})
}

// logJob is what of a log is asked for.
func logJob(st *store.Store, name, path string, o logOptions, now time.Time) (j reader.LogJob, err error) {
	j.Last, j.Tail, j.Follow = o.last, o.tail, o.follow
	if o.since != "" {
		since, err := timeOf(o.since, now)
		if err != nil {
			return j, err
		}
		j.Since = since.Unix()
		s, held, err := st.ReadState(name)
		j.Ended = err == nil && !held && s.Since.Before(since)
	}
	if j.Numbers, err = console.StartNumbers(path); err != nil {
		return j, fault.Wrap(fault.Host, err, "", "read the log of %s", name)
	}
	return j, nil
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

// printLog has the reader of logs write a log, and with follow what comes until the cell ends or nobody reads
// any more. None of it is read here.
func (a *app) printLog(ctx context.Context, w io.Writer, name string, log *os.File, job reader.LogJob, missing []string, ended func()) error {
	args, err := job.Args()
	if err != nil {
		return err
	}
	h, err := a.readers()
	if err != nil {
		return err
	}
	t := tool.Job{Tool: tool.Reader(reader.Log), Args: args, Files: []tool.File{{Name: "log", File: log}}, Out: w,
		Limits: tool.Limits{Output: math.MaxInt64, Wall: forever, CPU: forever}}
	t.AllowMissing = missing
	if job.Follow {
		stop, end, err := os.Pipe()
		if err != nil {
			return err
		}
		defer stop.Close()
		t.Files = append(t.Files, tool.File{Name: "stop", File: stop})
		go a.endFollowing(ctx, ended, end)
		ctx = context.WithoutCancel(ctx) // it prints what has come until then
	}
	_, err = tool.Run(ctx, h.Facts, t)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, context.Canceled) {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "read the log of %s", name)
	}
	return nil
}

// forever is longer than anybody follows a log.
const forever = 365 * 24 * time.Hour

// endFollowing closes a pipe when the cell has ended, or nobody reads any more.
func (a *app) endFollowing(ctx context.Context, ended func(), end *os.File) {
	defer end.Close()
	over := make(chan struct{})
	go func() { ended(); close(over) }()
	select {
	case <-ctx.Done():
	case <-readerGone(ctx, a.out):
	case <-over:
	}
}

// readers is where readers of a guest's bytes are run.
func (a *app) readers() (reader.Host, error) {
	f, err := probe.ForTools(probe.Options{Dirs: a.dirs})
	return reader.Host{Facts: f}, err
}
