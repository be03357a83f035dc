package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/audit"
	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) audit() *cobra.Command {
	var asProgram bool
	var pid int
	var prison string
	var watch time.Duration
	cmd := &cobra.Command{
		Use:   "audit NAME | --pid N | --jail NAME",
		Short: "Prove from outside what a live cell holds, and that it holds nothing else",
		Long: `Read a live hypervisor from outside and compare it with the plan of its cell.
What is missing fails the audit, and so does what is extra or unknown:
the status is then 5. The eight protections of the article of 2018 stand first,
in its order. What no one outside can read was read back by the launcher before
exec and is called recorded.

--pid judges a process that skep did not start by the same table. --jail judges
each hypervisor that runs in a jail that skep did not make, such as one that was
written by hand; it is FreeBSD's.`,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("watch") && watch <= 0 {
				return usage("--watch takes a pause such as 10s, got %s", watch)
			}
			look, err := a.auditOf(args, pid, cmd.Flags().Changed("pid"), prison)
			if err != nil {
				return err
			}
			if watch > 0 {
				ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
				defer stop()
				return a.watchAudit(ctx, look, watch, asProgram)
			}
			all, err := look()
			if err != nil {
				return auditFault(err)
			}
			return a.showAudits(all, asProgram)
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	cmd.Flags().IntVar(&pid, "pid", 0, "a process that skep did not start")
	cmd.Flags().StringVar(&prison, "jail", "", "the hypervisors in a jail that skep did not make (FreeBSD)")
	cmd.Flags().DurationVar(&watch, "watch", 0, "look again after each such pause, and say what has changed")
	return cmd
}

// auditOf is what the arguments ask to look at: one cell, one process, or a
// jail, which may hold several hypervisors.
func (a *app) auditOf(args []string, pid int, byPID bool, prison string) (func() ([]audit.Report, error), error) {
	asked := len(args)
	for _, given := range []bool{byPID, prison != ""} {
		if given {
			asked++
		}
	}
	if asked != 1 {
		return nil, usage("skep audit takes one cell, --pid or --jail")
	}
	if prison != "" {
		return func() ([]audit.Report, error) { return audit.Jail(prison) }, nil
	}
	one := func() (audit.Report, error) { return audit.Process(pid) }
	if !byPID {
		one = func() (audit.Report, error) { return a.auditCell(args[0]) }
	}
	return func() ([]audit.Report, error) {
		r, err := one()
		return []audit.Report{r}, err
	}, nil
}

// auditFault says of what could not be looked at what a person can do.
func auditFault(err error) error {
	if f := new(fault.Error); errors.As(err, &f) {
		return err
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return fault.Wrap(fault.Input, err, "jails are FreeBSD's; skep audit --pid N judges any process of this host", "audit that jail")
	}
	if bad := new(json.SyntaxError); errors.As(err, &bad) {
		return fault.Wrap(fault.Host, err, "its state is damaged; skep down still ends it", "audit that")
	}
	return fault.Wrap(fault.Input, err, "", "audit that")
}

// showAudits shows one report, or one for each hypervisor; the first that
// fails is the one that is spoken of.
func (a *app) showAudits(all []audit.Report, asProgram bool) error {
	var failed error
	for i, r := range all {
		if i > 0 && !asProgram {
			a.printf("\n")
		}
		if len(all) > 1 && !asProgram {
			a.printf("process %d\n\n", r.PID)
		}
		if err := a.showAudit(r, asProgram); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// betweenLives bounds the wait for a cell that is about to start, or whose
// keeper has yet to see that its hypervisor is gone.
const betweenLives = 5 * time.Second

func (a *app) auditCell(arg string) (audit.Report, error) {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	name, err := a.nameOf(dirs, arg)
	if err != nil {
		return audit.Report{}, err
	}
	if err := a.mustKnow(dirs, name); err != nil {
		return audit.Report{}, err
	}
	st, held, err := store.View(dirs).ReadDetail(name)
	// Between two lives of its guest a cell is soon there again.
	for deadline := time.Now().Add(betweenLives); err == nil && held && time.Now().Before(deadline) &&
		(st.State == store.Starting || st.State == store.Running && !keeper.Alive(st)); {
		time.Sleep(20 * time.Millisecond)
		st, held, err = store.View(dirs).ReadDetail(name)
	}
	if err != nil {
		return audit.Report{}, err
	}
	if st.Plan == nil || !keeper.Alive(st) {
		return audit.Report{}, fault.Cannot(fault.Host, "skep up "+name+" starts it", "audit", name, "it is not running")
	}
	if st.State == store.Starting {
		return audit.Report{}, fault.Cannot(fault.Host, "skep ps shows when it runs", "audit", name, "it is starting, and its rootfs not closed yet")
	}
	r, err := audit.Cell(st)
	if st.State == store.Paused {
		r.State, r.Reason = string(st.State), st.Reason
	}
	if err == nil && !r.OK && !keeper.Alive(st) {
		// Half of what was looked at had gone by then: that is no finding.
		return audit.Report{}, fault.Cannot(fault.Host, "skep ps shows how", "audit", name, "it ended meanwhile")
	}
	return r, err
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
	return fault.Fail(fault.Jail, "", "audit of %s failed: %d of %d checks; %s", who, len(bad), len(r.Rows), what)
}

// watchAudit looks again and again and says what has changed, one line a row.
func (a *app) watchAudit(ctx context.Context, look func() ([]audit.Report, error), pause time.Duration, asProgram bool) error {
	type key struct {
		pid int
		row string
	}
	before := map[key]audit.Row{}
	good := true
	for first := true; ; first = false {
		all, err := look()
		if err != nil {
			if first {
				return auditFault(err)
			}
			return fault.Wrap(fault.Host, err, "", "go on watching")
		}
		if first {
			if err := a.showAudits(all, asProgram); err != nil && !asProgram {
				a.fail(err)
			}
		}
		good = true
		for _, r := range all {
			for _, row := range r.Rows {
				k := key{r.PID, row.ID}
				if was, ok := before[k]; ok && was != row && (was.Verdict != row.Verdict || row.Verdict.Bad()) {
					a.event(row, asProgram)
				}
				before[k] = row
			}
			good = good && r.OK
		}
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
