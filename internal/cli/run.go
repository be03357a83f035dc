package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"skep/guest/hello"
	"skep/internal/background"
	"skep/internal/cell"
	"skep/internal/console"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/provision"
	"skep/internal/reconnect"
	"skep/internal/store"
	"skep/internal/unixsock"
)

func (a *app) run() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run NAME|FILE | --from TEMPLATE [NAME] | --pool POOL",
		Short: "Run a cell in the foreground with its console on the terminal",
		Long: `Run a cell in the foreground. Its serial console is on the terminal; what is
piped in is typed into it, and the end of that is no order. ~. at the start of
a line stops the guest: its power button is pressed, and after stop_timeout it
is killed; ~? lists what else there is. So do SIGINT, SIGTERM and SIGHUP, and an output that takes no more; a
second signal, a second later or more, kills at once.

With --from the guest begins where a template stands still, as a cell called
TEMPLATE@1, or NAME; what it writes goes when it ends. See skep template. With --pool
it is a clone that is ready, and goes on at once. See skep pool.

The exit status is 0 when the guest powered off by itself; see
"skep help exit-codes" for the others.

--job runs it for a job of a batch system: the name is made of the job's number
unless --name says one, stop_timeout is kept below what the system waits between
SIGTERM and SIGKILL, and the guest is bound as --bind has it. What this host lacks
only now, and what another host of the cluster may have, ends with the status 75.

Its control groups are below the job's, as with --cgroup-parent auto.

--bind has the guest end with this process, whatever ends that, and stops the
guest when the process ends that has started this one.`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.pool != "" && (len(args) > 0 || o.from != "" || o.name != "" || o.rm || o.limit > 0 || o.results != "" || o.job != jobOptions{}):
				return usage("--pool takes no cell and no other flag than --quiet")
			case o.pool != "":
				return nil
			}
			if o.from != "" && len(args) == 0 {
				return nil
			}
			return oneName(cmd, args)
		},
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.pool != "" {
				return a.runFromPool(cmd.Context(), o.pool, o.quiet)
			}
			if o.from != "" {
				find, err := a.cloned(o.from, first(args))
				if err != nil {
					return err
				}
				return a.runAs(cmd.Context(), find, o)
			}
			find, err := a.named(args[0])
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("time-limit") && (o.limit < time.Second || o.limit > cell.MaxTimeLimit) {
				return usage("--time-limit must be from 1s to %.0fh, got %s", cell.MaxTimeLimit.Hours(), o.limit)
			}
			return a.runAs(cmd.Context(), find, o)
		},
	}
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "say nothing about the jail before the guest starts")
	cmd.Flags().StringVar(&o.name, "name", "", "run it as a cell of this name")
	cmd.Flags().DurationVar(&o.limit, "time-limit", 0, "stop the guest after this time, such as 5m; its file's time_limit otherwise")
	cmd.Flags().StringVar(&o.pool, "pool", "", "take a cell of this pool, which is ready")
	_ = cmd.RegisterFlagCompletionFunc("pool", a.completePools)
	cmd.Flags().StringVar(&o.from, "from", "", "begin where this template stands still")
	_ = cmd.RegisterFlagCompletionFunc("from", a.completeTemplates)
	cmd.Flags().BoolVar(&o.rm, "rm", false, "forget the cell afterwards, as skep rm does; disks stay")
	o.addJob(cmd)
	return cmd
}

// first is the first argument, "" where there is none.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// oneName wants exactly one cell.
func oneName(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("skep %s takes one cell, got %d", cmd.Name(), len(args))
	}
	return nil
}

// source finds the cell that a verb is about, once it is known what host this
// is.
type source func(host.Facts) (*cell.Cell, error)

// named is the cell that an argument of the command line names. It is read at once: a mistake in it
// does not wait for a look at the host.
func (a *app) named(arg string) (source, error) {
	c, err := a.load(probe.DirsFor(probe.Options{Dirs: a.dirs}), arg)
	return func(host.Facts) (*cell.Cell, error) { return c, err }, err
}

// runCell runs a cell in the foreground; ran says whether there was anything to run.
func (a *app) runCell(ctx context.Context, find source, o runOptions) (ran bool, err error) {
	c, facts, st, err := a.ready(ctx, find)
	if err != nil {
		return false, o.elsewhere(err)
	}
	if err := hasGroups(facts, o.job.parent); err != nil {
		return false, err
	}
	quiet := o.quiet
	facts.Job = o.jobFacts()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	line, left := reconnect.New(), make(chan struct{})
	tty := terminal(a.in)
	joined := false
	var k *keeper.Keeper
	within := o.stopWithin(c)
	stop, stopped := a.stopOnce(c.Name, within, func(who string) { k.Stop(who) })
	defer stopped()
	k = keeper.New(keeper.Config{
		Cell: c, Facts: facts, Store: st, Foreground: true, StopWithin: within, Audit: background.Audited,
		Notify: func(text string) {
			if !quiet {
				a.note("%s", text)
			}
		},
		Prepared: func(socket string) error {
			conn, err := unixsock.Dial(socket)
			if err != nil {
				return err
			}
			line.Join(conn)
			if joined {
				return nil // started over: the terminal goes on with it
			}
			joined = true
			if !quiet {
				a.note("%s", k.Summary())
				if tty != nil {
					a.note("~. at the start of a line stops the guest, ~? lists what else there is")
				}
			}
			if tty != nil {
				a.rawTerminal()
			}
			go func() {
				defer close(left)
				err := console.Session{Conn: line, In: a.in, Out: a.out, Terminal: tty, Help: runHelp(within), Screen: terminal(a.out),
					Leave: func() { stop("~. on the terminal") }}.Run(ctx)
				a.raw.Store(false)
				if err != nil && ctx.Err() == nil {
					stop("its output, which takes no more: " + err.Error())
					_, _ = io.Copy(io.Discard, line) // nobody is kept waiting to be read
				}
			}()
			return nil
		},
	})
	stopSignals := background.Signals(stop, k.Kill)
	defer stopSignals()
	defer o.watchParent(stop)()
	out, err := k.Run(ctx)
	k.Flush()
	line.End()
	if joined {
		drain(line.Quiet(), left)
	}
	if err != nil {
		return false, o.elsewhere(err)
	}
	return true, a.verdict(c, out, quiet)
}

// drain waits, within a bound, until the last words of a guest have reached the
// terminal and the terminal is as it was.
func drain(these ...<-chan struct{}) {
	bound := time.After(2 * time.Second)
	for _, c := range these {
		select {
		case <-c:
		case <-bound:
			return
		}
	}
}

// verdict says how a run ended, unless it ended as it should.
func (a *app) verdict(c *cell.Cell, out keeper.Outcome, quiet bool) error {
	if out.Code == fault.OK {
		return nil
	}
	if out.Code == fault.Stopped || out.Code == fault.TimeLimit {
		if !quiet {
			a.note("%s: %s", c.Name, out.Reason)
		}
		return shownError{out.Code}
	}
	hint := ""
	if out.Code == fault.HypervisorDied {
		hint = "skep log --hypervisor " + c.Name + " shows all that the hypervisor said"
	}
	return fault.New(out.Code, hint, "keep %s running: %s", c.Name, out.Reason)
}

// ready does what run and up both begin with: the host, the store, the cell,
// and whether this host can run it at all.
func (a *app) ready(ctx context.Context, find source) (*cell.Cell, host.Facts, *store.Store, error) {
	facts, err := a.probe(ctx, false)
	if err != nil {
		return nil, facts, nil, err
	}
	c, err := find(facts)
	if err != nil {
		return nil, facts, nil, err
	}
	// KVM is tried after the cell file is read: a mistake there needs no trial,
	// and neither does a cell that wants emulation.
	if l := facts.Linux; l != nil && l.KVM.Opens && !l.KVM.Tried && c.Accel != cell.AccelTCG {
		if facts, err = a.probe(ctx, true); err != nil {
			return nil, facts, nil, err
		}
	}
	if err := host.Ready(c, facts); err != nil {
		return nil, facts, nil, err
	}
	if facts.Linux != nil && len(facts.Linux.KVM.Refused) > 0 && c.Accel == cell.AccelAuto {
		facts.Linux.KVM.Boot = provision.BootSum(c, facts)
	}
	st, err := store.Open(facts.Dirs)
	if err == nil {
		err = halfReverted(st, c.Name)
	}
	if err == nil {
		err = halfRenamed(st, c.Name)
	}
	return c, facts, st, err
}

// helloROM writes the built-in guest, so that the lines of a plan can be typed.
func (a *app) helloROM() *cobra.Command {
	return &cobra.Command{
		Use: "hello-rom", Short: "Write the built-in guest's firmware to standard output", Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := a.out.Write(hello.ROM())
			return err
		},
	}
}
