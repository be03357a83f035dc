package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/devfs"
	"skep/internal/fault"
)

// checkVersion is the version of the JSON form of devfs-check.
const checkVersion = 1

// checkJSON is what devfs-check says to a program.
type checkJSON struct {
	Version  int             `json:"version"`
	Checks   []devfsReport   `json:"checks"`
	Problems []devfs.Problem `json:"problems"` // of the files
}

func (a *app) devfsCheck() *cobra.Command {
	var flags devfsFlags
	var ruleset string
	var own []string
	var asProgram bool
	cmd := &cobra.Command{
		Use:   "devfs-check [RULESET|JAIL]",
		Short: "Say what a jail really sees in /dev, dangerous nodes first",
		Long: `Evaluate rules of devfs as the kernel does, include depth and all, and list what
they show: dangerous nodes first, and with a warning each include that is not
followed and each pattern that shows other jails' nodes.

On a FreeBSD host: a rule set by its number or its name in devfs.rules(5), or a
running jail by its name; the /dev of a jail is listed as well, and the list is
right where the rules say otherwise. Without an argument, every running jail.

On any host: --rules FILE, with --ruleset, reads files instead, in the order in
which rc(8) reads them. --depth and --nodes say what that host is like; without
them it is this one, if it is a FreeBSD, else a typical one.

The status is 5 when a dangerous node is visible. --own names nodes that the
jail is meant to have.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("skep devfs-check takes at most one jail, got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			what := ruleset
			if len(args) > 0 {
				what = args[0]
			}
			h, problems, err := a.devfsHost(flags, cmd, what)
			if err != nil {
				return err
			}
			reports, err := h.check(what, own)
			if err != nil {
				return err
			}
			if asProgram {
				err = a.json(checkJSON{checkVersion, reports, problems})
			} else {
				err = a.printChecks(reports, problems)
			}
			for _, r := range reports {
				if err == nil && len(r.Report.Dangerous) > 0 {
					err = shownError{fault.Jail}
				}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&flags.files, "rules", nil, "read this devfs.rules(5) instead of asking the kernel; may be repeated")
	f.StringVar(&ruleset, "ruleset", "", "the number or name of the rule set")
	f.StringArrayVar(&own, "own", nil, "a node that the jail is meant to have, such as vmm/web; may be repeated")
	f.BoolVar(&asProgram, "json", false, "for programs")
	flags.addHost(cmd)
	return cmd
}

// devfsHost is the host that the flags speak of: this one, or what files say.
func (a *app) devfsHost(flags devfsFlags, cmd *cobra.Command, what string) (devfsHost, []devfs.Problem, error) {
	set := cmd.Flags().Changed
	switch {
	case len(flags.files) > 0 && what == "":
		return devfsHost{}, nil, usage("--rules needs --ruleset with the number or name of a rule set")
	case len(flags.files) == 0 && (set("depth") || set("nodes")):
		return devfsHost{}, nil, usage("--depth and --nodes are only valid together with --rules")
	case len(flags.files) == 0:
		h, err := liveDevfs()
		return h, []devfs.Problem{}, err
	}
	l, err := a.loadRules(flags.files)
	if err != nil {
		return devfsHost{}, nil, err
	}
	h := devfsHost{sets: l.Sets, names: l.Sets}
	if h.nodes, h.depth, err = a.devfsOf(flags, set("depth")); err != nil {
		return h, nil, err
	}
	if h.nodes == nil {
		h.nodes = devfs.TypicalNodes()
	}
	return h, append([]devfs.Problem{}, l.Problems...), nil
}

func (a *app) printChecks(reports []devfsReport, problems []devfs.Problem) error {
	for _, p := range problems {
		a.note("warning: %s", p)
	}
	if len(reports) == 0 {
		a.note("no jail is running")
	}
	for i, r := range reports {
		if i > 0 {
			a.printf("\n")
		}
		if j := r.Jail; j != nil {
			a.printf("jail %s (jid %s): %s\n", cell.Printable(j.Name), strconv.Itoa(j.JID), cell.Printable(r.Note))
		}
		if err := r.Report.WriteText(printable{a.out}); err != nil {
			return err
		}
	}
	return nil
}
