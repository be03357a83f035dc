package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) pause() *cobra.Command {
	return a.pausing("pause", "suspend", &cobra.Command{
		Use:   "pause NAME… | --all",
		Short: "Have guests stand still until they are resumed",
		Long: `Have guests stand still until skep resume: no instruction of theirs is executed,
and what they have written to disks is with the host. Memory, network cards,
console and screen stay as they are. A guest that is paused already stays so.

skep down lets a paused guest go on, so that it hears the power button;
skep kill ends one without another instruction. Should the keeper die, the guest
stays paused. On Linux the guest's clock stands still as well; on FreeBSD it goes
on, and the guest finds that time has passed.`,
	})
}

func (a *app) resume() *cobra.Command {
	return a.pausing("resume", "resume", &cobra.Command{
		Use:   "resume NAME… | --all",
		Short: "Let paused guests go on",
		Long: `Let guests go on that skep pause has paused. One that runs is left alone. One that
is paused because the host cannot write its disk, or while its disk is copied,
goes on by itself when that is over, and is refused here.`,
	})
}

// pausing is a verb that makes one request of each keeper.
func (a *app) pausing(verb, do string, cmd *cobra.Command) *cobra.Command {
	var all bool
	cmd.ValidArgsFunction = a.completeNames
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names, err := a.namesOf(args, all, a.held)
		if err != nil {
			return err
		}
		dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
		return a.each(names, func(arg string) error {
			name, err := a.nameOf(dirs, arg)
			if err != nil {
				return err
			}
			return a.ask(cmd.Context(), dirs, name, verb, do)
		})
	}
	cmd.Flags().BoolVar(&all, "all", false, "every cell that runs")
	return cmd
}

// ask makes one request of a cell's keeper, within a bound.
func (a *app) ask(ctx context.Context, dirs host.Dirs, name, verb, do string) error {
	if cl, err := reached(dirs, name); err != nil || cl != nil {
		if err != nil {
			return err
		}
		return askOther(ctx, cl, name, verb, do)
	}
	a.adoptFirst(ctx, dirs, name)
	st := store.View(dirs)
	if !st.Held(name) {
		if err := a.mustKnow(dirs, name); err != nil {
			return err
		}
		return fault.Cannot(fault.Host, "skep up "+name+" starts it", verb, name, "it is not running")
	}
	answer, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	cl, err := keeper.Dial(st.RunDir(name))
	if err == nil {
		defer cl.Close()
		_, err = cl.Ask(answer, do, "skep "+verb)
	}
	var f *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return err
	case errors.Is(answer.Err(), context.DeadlineExceeded) && ctx.Err() == nil:
		return fault.New(fault.Host, "skep kill "+name+" ends both", "%s %s: its keeper does not answer", verb, name)
	}
	return fault.Wrap(fault.Host, err, "skep ps shows what it does", "%s %s", verb, name)
}
