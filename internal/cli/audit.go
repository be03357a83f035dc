package cli

import (
	"context"
	"errors"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/audit"
	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/store"
)

func (a *app) audit() *cobra.Command {
	var asProgram bool
	var pid int
	var watch time.Duration
	cmd := &cobra.Command{
		Use:   "audit NAME | --pid N",
		Short: "Prove from outside what a live cell holds, and that it holds nothing else",
		Long: `Read a live hypervisor from outside and compare it with the plan of its cell.
What is missing fails the audit, and so does what is extra or cannot be told:
the status is then 5. The eight protections of the article of 2018 stand first,
in its order. What no one outside can read was read back by the launcher before
exec and is called recorded.

--pid judges a process that skep did not start by the same table.`,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (pid != 0) == (len(args) == 1) || len(args) > 1 {
				return usage("audit that: name one cell, or a process with --pid")
			}
			look := func() (audit.Report, error) { return audit.Process(pid) }
			if pid == 0 {
				look = func() (audit.Report, error) { return a.auditCell(args[0]) }
			}
			if watch > 0 {
				ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
				defer stop()
				return a.watchAudit(ctx, look, watch, asProgram)
			}
			r, err := look()
			if err != nil {
				if f := new(fault.Error); errors.As(err, &f) {
					return err
				}
				return fault.Wrap(fault.Input, err, "", "audit that")
			}
			return a.showAudit(r, asProgram)
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	cmd.Flags().IntVar(&pid, "pid", 0, "a process that skep did not start")
	cmd.Flags().DurationVar(&watch, "watch", 0, "look again after each such pause, and say what has changed")
	return cmd
}

func (a *app) auditCell(arg string) (audit.Report, error) {
	dirs := host.DirsFor(host.Options{Dirs: a.dirs})
	name, err := a.nameOf(dirs, arg)
	if err != nil {
		return audit.Report{}, err
	}
	if err := a.mustKnow(dirs, name); err != nil {
		return audit.Report{}, err
	}
	st, _, err := store.View(dirs).ReadDetail(name)
	if err != nil {
		return audit.Report{}, err
	}
	if st.Plan == nil || !keeper.Alive(st) {
		return audit.Report{}, fault.New(fault.Host, "skep up "+name+" starts it", "audit %s: it is not running", name)
	}
	return audit.Cell(st)
}

func (a *app) showAudit(r audit.Report, asProgram bool) error {
	var err error
	if asProgram {
		err = a.json(r)
	} else {
		err = r.WriteText(a.out, terminal(a.out) != nil, cell.Printable)
	}
	if err != nil {
		return err
	}
	if r.OK {
		return nil
	}
	bad := r.Bad()
	if asProgram {
		return shownError{fault.Jail}
	}
	what := bad[0].ID + " is " + string(bad[0].Verdict) + ": " + bad[0].Seen
	who := r.Name
	if who == "" {
		who = "that process"
	}
	return fault.New(fault.Jail, "", "vouch for %s: %d of %d rows fail; %s", who, len(bad), len(r.Rows), what)
}

// watchAudit looks again and again and says what has changed, one line a row.
func (a *app) watchAudit(ctx context.Context, look func() (audit.Report, error), pause time.Duration, asProgram bool) error {
	before := map[string]audit.Row{}
	good := true
	for first := true; ; first = false {
		r, err := look()
		if err != nil {
			return fault.Wrap(fault.Host, err, "", "go on watching")
		}
		if first {
			if err := a.showAudit(r, asProgram); err != nil && !asProgram {
				a.fail(err)
			}
		}
		for _, row := range r.Rows {
			if was, ok := before[row.ID]; ok && was != row && (was.Verdict != row.Verdict || row.Verdict.Bad()) {
				a.event(row, asProgram)
			}
			before[row.ID] = row
		}
		good = r.OK
		select {
		case <-ctx.Done():
			if !good {
				return shownError{fault.Jail}
			}
			return nil
		case <-time.After(pause):
		}
	}
}

func (a *app) event(row audit.Row, asProgram bool) {
	if asProgram {
		_ = a.json(struct {
			Time time.Time `json:"time"`
			Row  audit.Row `json:"row"`
		}{time.Now().UTC(), row})
		return
	}
	a.printf("%s  %-8s  %s  %s\n", time.Now().Format(time.TimeOnly), row.Verdict, row.ID, cell.Printable(row.Seen))
}
