package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/store"
)

func (a *app) down() *cobra.Command {
	var all, force bool
	cmd := &cobra.Command{
		Use:   "down NAME… | --all",
		Short: "Stop cells: power button first, force after stop_timeout",
		Long: `Stop cells. Each guest's power button is pressed; one that is still there after
its stop_timeout is killed. The command returns once everything that the cell
held is released. --force does not press the button.`,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			do := "stop"
			if force {
				do = "kill"
			}
			return a.order(cmd.Context(), args, all, do, "skep down")
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every cell that runs")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "do not press the power button")
	return cmd
}

func (a *app) kill() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:               "kill NAME… | --all",
		Short:             "Kill cells at once",
		Long:              "Kill the hypervisors of cells at once, as pulling the plug would.",
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.order(cmd.Context(), args, all, "kill", "skep kill")
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every cell that runs")
	return cmd
}

func (a *app) restart() *cobra.Command {
	var all, force bool
	cmd := &cobra.Command{
		Use:               "restart NAME… | --all",
		Short:             "Stop cells and start them again, with their files read anew",
		Long:              "Stop cells as down does and start them again as up does, with their files read anew. A cell that does not run is started.",
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := a.namesOf(args, all, a.held)
			if err != nil {
				return err
			}
			do := "stop"
			if force {
				do = "kill"
			}
			dirs := host.DirsFor(host.Options{Dirs: a.dirs})
			return a.each(names, func(arg string) error {
				name := arg
				arg = startedFrom(dirs, arg)
				// A file with a mistake must not take down a cell that runs.
				c, err := a.load(dirs, arg)
				if err != nil {
					return err
				}
				if !isPath(name) && c.Name != name {
					return fault.New(fault.Input, "skep down "+name+" stops it", "restart %s: its file %s holds the cell %q by now", name, arg, c.Name)
				}
				if store.View(dirs).Held(c.Name) {
					if err := a.end(cmd.Context(), dirs, c.Name, do, "skep restart"); err != nil {
						return err
					}
				}
				return a.start(cmd.Context(), arg, false)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every cell that runs")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "do not press the power button")
	return cmd
}

// startedFrom is the file that a running cell was started from, where its name
// alone leads to none: skep up ./web.hcl; skep restart web.
func startedFrom(dirs host.Dirs, arg string) string {
	if isPath(arg) {
		return arg
	}
	if _, err := os.Lstat(filepath.Join(dirs.Config, "cells", arg+".hcl")); !errors.Is(err, fs.ErrNotExist) {
		return arg
	}
	st := store.View(dirs)
	if s, held, err := st.ReadState(arg); err == nil && s.File != "" && (held || st.HasJournal(arg)) {
		return s.File
	}
	return arg
}

// held lists the cells that have a living keeper.
func (a *app) held() ([]string, error) {
	dirs := host.DirsFor(host.Options{Dirs: a.dirs})
	names, err := known(dirs)
	if err != nil {
		return nil, err
	}
	st := store.View(dirs)
	var live []string
	for _, n := range names {
		if st.Held(n) || st.HasJournal(n) {
			live = append(live, n)
		}
	}
	return live, nil
}

// order tells the keepers of some cells the same thing and waits for each end.
func (a *app) order(ctx context.Context, args []string, all bool, do, who string) error {
	names, err := a.namesOf(args, all, a.held)
	if err != nil {
		return err
	}
	dirs := host.DirsFor(host.Options{Dirs: a.dirs})
	return a.eachOf(names, len(names), func(arg string) error {
		name, err := a.nameOf(dirs, arg)
		if err != nil {
			return err
		}
		a.adoptAll(ctx, dirs, name)
		return a.end(ctx, dirs, name, do, who)
	})
}

// nameOf is the name of the cell that an argument means, for verbs that need
// no cell file: it may be gone, or broken, while its cell runs.
func (a *app) nameOf(dirs host.Dirs, arg string) (string, error) {
	if !isPath(arg) {
		return arg, validName(arg)
	}
	c, err := a.load(dirs, arg)
	if err != nil {
		if name := runsFrom(dirs, arg); name != "" {
			return name, nil
		}
		return "", err
	}
	return c.Name, nil
}

// runsFrom is the cell that runs and was started from a file that cannot be
// read by now; "" where there is none.
func runsFrom(dirs host.Dirs, file string) string {
	path, err := filepath.Abs(file)
	if err != nil {
		return ""
	}
	st := store.View(dirs)
	names, _ := st.RunNames()
	for _, n := range names {
		if s, _, err := st.ReadState(n); err == nil && (s.File == path || s.File == file) {
			return n
		}
	}
	return ""
}

// answerWait bounds the wait for a keeper's first answer: one that is starting
// a hypervisor on a busy host hears orders late. Whoever pulls the plug does not
// wait as long: a keeper that has not answered by then is ended with its cell.
const (
	answerWait = 90 * time.Second
	killWait   = 15 * time.Second
)

// end stops or kills one cell and waits until it is gone. One that does not
// run is no error, so that a script may say down twice; one that nobody has
// ever heard of is.
func (a *app) end(ctx context.Context, dirs host.Dirs, name, do, who string) error {
	st := store.View(dirs)
	defer a.slow("waiting for %s to end", name)()
	for try := 0; ; try++ {
		if !st.Held(name) {
			held, err := a.endUnheld(ctx, dirs, name)
			if held && err == nil && try < 200 {
				time.Sleep(25 * time.Millisecond) // another took it up meanwhile
				continue
			}
			return err
		}
		before, _, _ := st.ReadState(name)
		cl, err := keeper.Dial(st.RunDir(name))
		if err != nil {
			// It is starting, or its last moment; both pass.
			if try > 200 {
				return fault.Wrap(fault.Host, err, deafHint(before.KeeperPID, name), "reach the keeper of %s", name)
			}
			time.Sleep(25 * time.Millisecond)
			continue
		}
		defer cl.Close()
		wait := answerWait
		if do == "kill" {
			wait = killWait
		}
		answer, cancel := context.WithTimeout(ctx, wait)
		_, err = cl.Ask(answer, do, who)
		cancel()
		if err != nil {
			if !st.Held(name) && try < 200 {
				continue // it died in the middle: what it held is to be released
			}
			deaf := answer.Err() == context.DeadlineExceeded && ctx.Err() == nil
			if deaf && do == "kill" {
				if err := a.killKeeper(st, name); err != nil {
					return err
				}
				continue // what is left of the cell is swept
			}
			if deaf {
				return fault.New(fault.Host, "skep kill "+name+" ends both", "%s %s: its keeper does not answer", do, name)
			}
			return fault.Wrap(fault.Host, err, "", "%s %s", do, name)
		}
		if _, err := cl.Ended(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if try < 200 {
				continue // the keeper died in the middle
			}
			return fault.Wrap(fault.Host, err, "skep sweep", "%s %s", do, name)
		}
		// Its process is the last that is left of the cell.
		for range 200 {
			if store.Gone(before.KeeperPID) {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		return nil
	}
}

// killKeeper ends a keeper that hears nothing: a stopped one, say. It is whoever
// holds the cell's lock; its death is what sweeping is for.
func (a *app) killKeeper(st *store.Store, name string) error {
	pid := st.Holder(name)
	if pid <= 1 {
		return nil // gone meanwhile
	}
	a.note("the keeper of %s (pid %d) has not answered for %s: it is killed too", name, pid, killWait)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fault.Wrap(fault.Host, err, "", "end the keeper of %s (pid %d)", name, pid)
	}
	for range 200 {
		if st.Holder(name) != pid {
			return nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	return fault.New(fault.Host, deafHint(pid, name), "end the keeper of %s: it does not go", name)
}

// deafHint is how to end a cell whose keeper hears nothing: by the keeper's death.
func deafHint(keeper int, name string) string {
	return fmt.Sprintf("kill -9 %d, then skep sweep %s", keeper, name)
}

// endUnheld is the end of a cell that no keeper holds. Should one hold it by
// now, nothing was done.
func (a *app) endUnheld(ctx context.Context, dirs host.Dirs, name string) (held bool, err error) {
	v := store.View(dirs)
	if v.HasJournal(name) {
		st, err := store.Open(dirs)
		if err != nil {
			return false, err
		}
		_, held, err := keeper.Sweep(ctx, st, name)
		if err != nil {
			return held, fault.Wrap(fault.Host, err, "", "release what %s held", name)
		}
		return held, nil
	}
	names, err := known(dirs)
	if err != nil {
		return false, err
	}
	for _, n := range append(names, "hello") {
		if n == name {
			return false, nil
		}
	}
	return false, fault.New(fault.Input, a.knownCells(dirs), "find a cell %s", name)
}
