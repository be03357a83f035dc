package cli

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/store"
)

// planFlags say for which host a plan is made.
type planFlags struct {
	hostFile, os string
	bind         bool
	parent       string
}

func (p *planFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.hostFile, "host", "", "plan for the host in this file, written by skep doctor --json")
	cmd.Flags().StringVar(&p.os, "os", "", "plan for a reference host: linux or freebsd")
	cmd.Flags().BoolVar(&p.bind, "bind", false, "plan for skep run --bind")
	cmd.Flags().StringVar(&p.parent, "cgroup-parent", "", "plan for skep run --cgroup-parent")
	_ = cmd.RegisterFlagCompletionFunc("cgroup-parent", cobra.FixedCompletions(parents, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("os", cobra.FixedCompletions([]string{"linux", "freebsd"}, cobra.ShellCompDirectiveNoFileComp))
}

func (a *app) plan() *cobra.Command {
	var flags planFlags
	var asProgram bool
	var form string
	cmd := &cobra.Command{
		Use:   "plan NAME|FILE",
		Short: "Print what run would do, as commands a person would type",
		Long: `Print what run would do, as commands a person would type, without doing it.
What a start on this host would refuse, such as a disk that another cell has, a
missing bridge or an address in use, is told after the plan, with the status that
the start would have.

--host plans for another machine, --os for a reference host of that system;
both give the same text on every machine.

--as prints a plan for a FreeBSD host as an administrator would write it where
there is no skep: jail.conf(5) for jail -f, devfs.rules(5), rc.conf(5), and a
script that runs bhyve(8) in that jail. Or it prints a job for Slurm (sbatch),
HTCondor (condor) or Nomad, or a unit of systemd, that runs the cell.`,
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if asProgram && form != "" {
				return usage("--json cannot be combined with --as")
			}
			if slices.Contains(plan.JobForms, form) {
				return a.printJob(args[0], form)
			}
			c, p, pure, err := a.makePlan(cmd.Context(), args[0], flags)
			if err != nil {
				return err
			}
			if !pure {
				// The plan is worth reading whether or not it can be carried out now.
				dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
				defer func() {
					if err != nil {
						return
					}
					h, herr := a.readers()
					if err = herr; err == nil {
						err = keeper.Look(keeper.Config{Cell: c, Facts: h.Facts, Store: store.View(dirs)}, p)
					}
				}()
			}
			if form != "" {
				text, err := plan.As(form, c, p)
				if err != nil {
					return err
				}
				_, err = io.WriteString(a.out, text)
				return err
			}
			if asProgram {
				return a.json(p)
			}
			a.printPlan(p)
			return nil
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	cmd.Flags().StringVar(&form, "as", "", "print it as "+strings.Join(plan.JobForms, ", ")+"; "+strings.Join(plan.Forms, ", ")+" (FreeBSD)")
	_ = cmd.RegisterFlagCompletionFunc("as", cobra.FixedCompletions(slices.Concat(plan.JobForms, plan.Forms), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// printJob prints a cell as a job. Where that runs is not known yet, so no host is asked.
func (a *app) printJob(arg, form string) error {
	c, err := a.load(probe.DirsFor(probe.Options{Dirs: a.dirs}), arg)
	if err != nil {
		return err
	}
	text, err := plan.As(form, c, nil)
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.out, text)
	return err
}

// makePlan makes the plan of a cell for this host, or for the one that the
// flags name.
func (a *app) makePlan(ctx context.Context, arg string, flags planFlags) (_ *cell.Cell, _ *plan.Plan, pure bool, err error) {
	var facts host.Facts
	if flags.parent != "" && (flags.hostFile != "" || flags.os != "") {
		return nil, nil, true, usage("--cgroup-parent cannot be combined with --host or --os")
	}
	if err := a.below(flags.parent, false); err != nil {
		return nil, nil, false, err
	}
	facts, pure, err = a.factsFor(ctx, flags)
	if err != nil {
		return nil, nil, pure, err
	}
	// Where cell files are is a matter of this machine, whatever host the plan
	// is for.
	c, err := a.loadFor(probe.DirsFor(probe.Options{Dirs: a.dirs}), arg, pure)
	if err != nil {
		return nil, nil, pure, err
	}
	if err := hasGroups(facts, flags.parent); err != nil {
		return nil, nil, pure, err
	}
	if !pure {
		if facts.Slots.Taken, err = store.View(facts.Dirs).Slots(); err != nil {
			return nil, nil, pure, fault.Wrap(fault.Host, err, "", "read which slots are taken")
		}
		if facts.MACs, err = store.View(facts.Dirs).MACs(c); err != nil {
			return nil, nil, pure, fault.Wrap(fault.Host, err, "", "read the addresses of the network cards of %s", c.Name)
		}
	}
	if err := host.Ready(c, facts); err != nil {
		return nil, nil, pure, err
	}
	if flags.bind {
		facts.Job = &host.Job{Bound: true}
	}
	p, problems := plan.Make(c, facts)
	return c, p, pure, problems.Err()
}

// factsFor is the host that the flags name. pure: it is not this machine.
func (a *app) factsFor(ctx context.Context, flags planFlags) (f host.Facts, pure bool, err error) {
	switch {
	case flags.hostFile != "" && flags.os != "":
		return f, true, usage("--host cannot be combined with --os")
	case flags.os != "":
		f, err = host.Reference(flags.os)
		if err != nil {
			return f, true, fault.New(fault.Input, "linux and freebsd are there", "plan for the system %q", flags.os)
		}
		return f, true, nil
	case flags.hostFile != "":
		b, err := readFacts(flags.hostFile)
		if err != nil {
			return f, true, fault.Wrap(fault.Input, err, "skep doctor --json > FACTS.json writes one", "read the host's facts")
		}
		var d doctorJSON
		if err := json.Unmarshal(b, &d); err != nil {
			return f, true, fault.Wrap(fault.Input, err, "skep doctor --json > FACTS.json writes one", "read the host's facts in %s", flags.hostFile)
		}
		if d.Facts.Version != host.FactsVersion || d.Facts.OS == "" {
			return f, true, fault.Cannot(fault.Input, "skep doctor --json > FACTS.json writes one", "use", flags.hostFile, "it is of version %d, this skep reads %d", d.Facts.Version, host.FactsVersion)
		}
		return d.Facts, true, nil
	}
	f, err = a.probe(ctx, false)
	return f, false, err
}

func (a *app) printPlan(p *plan.Plan) {
	a.printf("# %s on %s, slot %d", p.Name, p.OS, p.Slot)
	if p.Accel != "" {
		a.printf(", %s", p.Accel)
	}
	a.printf("\n")
	for _, n := range p.Notes {
		a.printf("# note: %s\n", cell.Printable(n))
	}
	for _, r := range p.Resources {
		a.printf("\n# %s: %s\n", r.ID, r.Why)
		for _, line := range r.Spec.Take() {
			a.printf("%s\n", printableLines(line))
		}
	}
}

func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = cell.Printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

func (a *app) explain() *cobra.Command {
	var flags planFlags
	var asProgram bool
	cmd := &cobra.Command{
		Use:               "explain NAME|FILE",
		Short:             "Say which line of the cell file asked for each resource",
		Long:              "Say, for every resource of the plan, which line of the cell file asked for it and what it is for.",
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, p, _, err := a.makePlan(cmd.Context(), args[0], flags)
			if err != nil {
				return err
			}
			rows := plan.Explain(c, p)
			if asProgram {
				return a.json(struct {
					Version int                `json:"version"`
					Rows    []plan.Explanation `json:"rows"`
				}{1, rows})
			}
			for _, r := range rows {
				where := "every cell has it"
				if r.Pos.Line > 0 {
					where = cell.Printable(r.Pos.String())
				} else if r.For != "" {
					where = "default of " + r.For
				}
				a.printf("%s\n    asked by: %s\n    %s\n", r.ID, where, cell.Printable(r.Why))
				for _, line := range r.Details {
					a.printf("    %s\n", cell.Printable(line))
				}
			}
			return nil
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

// maxFacts bounds what is read of a host's facts; a real host's are some
// thirty kilobytes.
const maxFacts = 4 << 20

// readFacts reads a file or a pipe, bounded.
func readFacts(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFacts))
}
