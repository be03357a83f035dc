package cli

import (
	"context"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/drill"
	"skep/internal/drill/attack"
	"skep/internal/fault"
	"skep/internal/host"
)

func (a *app) drill() *cobra.Command {
	var asProgram, ablate, markdown bool
	var within time.Duration
	cmd := &cobra.Command{
		Use:   "drill [NAME|FILE]",
		Short: "Put an attacker in the hypervisor's place and see what it can reach",
		Long: `Build the cell's jail with an attacker in the hypervisor's place: the same user,
system call filter, root, descriptors and limits. It tries what an intruder
would, and each attempt has to be stopped; the status is 5 if one is not. It is
put in the worker's place as well, where it lies to the keeper too, and on Linux
in that of each kind of network or capture that the cell's cards have.

Without a name it is the built-in guest's cell that is drilled. With one it is a
twin of that cell, with scratch disks and without network cards; the cell itself
is left alone, running or not.

--ablate makes every attempt again, in the hypervisor's place and in the
worker's, with layers of the jail left out, and says which stop it: on Linux without any layer, with each alone and with all but
each, in mounts and a network of its own; on FreeBSD with all but each, and with
all but each and capability mode, on this host. It takes minutes and is root's.
What takes longer than --within is ended, and the error says where it was.`,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("skep drill takes at most one cell, got %d", len(args))
			}
			find := source(func(host.Facts) (*cell.Cell, error) { return cell.Hello(), nil })
			if len(args) == 1 {
				var err error
				if find, err = a.named(args[0]); err != nil {
					return err
				}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			if within <= 0 {
				return usage("--within must be longer than 0, got %s", within)
			}
			if markdown {
				a.printf("%s", attack.Markdown())
				return nil
			}
			if ablate {
				m, err := a.ablate(ctx, find, within)
				if err != nil {
					return err
				}
				return a.showMatrix(m, asProgram)
			}
			return a.drillCell(ctx, find, asProgram)
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	cmd.Flags().BoolVar(&ablate, "ablate", false, "measure which layers stop which attempt, by leaving layers out")
	cmd.Flags().DurationVar(&within, "within", ablateWithin, "how long --ablate may take")
	cmd.Flags().BoolVar(&markdown, "markdown", false, "the attempts and what stops them, as docs/security.md has them; nothing is tried")
	return cmd
}

func (a *app) drillCell(ctx context.Context, find source, asProgram bool) error {
	c, facts, st, err := a.ready(ctx, find)
	if err != nil {
		return err
	}
	done := a.slow("drilling %s", c.Name)
	r, err := drill.Run(ctx, drill.Config{Cell: c, Facts: facts, Store: st})
	done()
	if err != nil {
		return fault.Wrap(fault.Jail, err, "", "drill %s", c.Name)
	}
	if asProgram {
		err = a.json(r)
	} else {
		err = r.WriteText(a.out, terminal(a.out) != nil)
	}
	if err != nil || r.Escaped == 0 {
		return err
	}
	if asProgram {
		return shownError{fault.Jail}
	}
	first := r.Escapes()[0]
	return fault.Fail(fault.Jail, "", "drill of %s failed: %d of %d attempts got out; first %s: %s", c.Name, r.Escaped, r.Attempts, first.ID, first.How)
}
