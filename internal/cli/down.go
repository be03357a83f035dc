package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) down() *cobra.Command {
	var all, force bool
	cmd := &cobra.Command{
		Use:   "down NAME… | --all",
		Short: "Stop cells: power button first, force after stop_timeout",
		Long: `Stop cells. Each guest's power button is pressed; one that is still there after
its stop_timeout is killed. The command returns once everything that the cell
held is released. --force does not press the button. 'lab@*' stands for the
instances of lab that skep knows.`,
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
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			return a.each(names, func(arg string) error {
				// A file with a mistake must not take down a cell that runs.
				c, err := a.load(dirs, arg)
				if err != nil {
					return err
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

// held lists the cells that have a living keeper.
func (a *app) held() ([]string, error) {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
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
	defer a.waitingFor(st, name, do)()
	var processes leaving
	if err := a.release(ctx, dirs, name, do, who, &processes); err != nil {
		return err
	}
	return processes.wait(name, leavingWait)
}

// release is end without the wait for the last processes, which it notes.
func (a *app) release(ctx context.Context, dirs host.Dirs, name, do, who string, processes *leaving) error {
	st := store.View(dirs)
	killed := 0 // keepers
	for try := 0; ; try++ {
		processes.look(st, name)
		if !st.Held(name) {
			held, err := a.endUnheld(ctx, dirs, name)
			if held && err == nil && try < lastTry {
				time.Sleep(betweenTries) // another took it up meanwhile
				continue
			}
			return err
		}
		before, _, _ := st.ReadState(name)
		err := a.tell(ctx, st, name, do, who)
		var unresponsive *unresponsiveError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &unresponsive):
		case errors.Is(err, errAgain) && try < lastTry:
			// It is starting, or its last moment, or it died in the middle; all of them pass.
			time.Sleep(betweenTries)
			continue
		case errors.Is(err, errAgain):
			unresponsive = &unresponsiveError{before.KeeperPID} // it listens nowhere
		default:
			return err
		}
		if do != "kill" {
			return fault.New(fault.Host, "skep kill "+name+" ends both", "%s %s: its keeper does not answer", do, name)
		}
		if killed++; killed > maxKilled {
			return fault.Cannot(fault.Host, "", "kill", name, "one keeper after the other does not answer")
		}
		if err := a.killKeeper(st, name, unresponsive.pid); err != nil {
			return err
		}
		try = 0 // what is left of the cell is swept
	}
}

// Bounds of end: how often it looks again, how long it waits before it does, and
// how many keepers it kills.
const (
	lastTry      = 200
	betweenTries = 25 * time.Millisecond
	maxKilled    = 3
)

// errAgain: the keeper cannot be reached, or went away in the middle.
var errAgain = errors.New("its keeper is not there")

// A unresponsiveError is a keeper that takes a connection and does not answer.
type unresponsiveError struct{ pid int } // 0 where it is not known

func (e *unresponsiveError) Error() string { return "its keeper does not answer" }

// tell gives one order and waits for the cell's end.
func (a *app) tell(ctx context.Context, st *store.Store, name, do, who string) error {
	cl, err := keeper.Dial(st.RunDir(name))
	if err != nil {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	defer cl.Close()
	wait := answerWait
	if do == "kill" {
		wait = killWait
	}
	answer, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	_, err = cl.Ask(answer, do, who)
	switch {
	case err == nil:
	case answer.Err() == context.DeadlineExceeded && ctx.Err() == nil:
		return &unresponsiveError{cl.PID}
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), !st.Held(name):
		return fmt.Errorf("%w: %w", errAgain, err)
	default:
		return fault.Wrap(fault.Host, err, "", "%s %s", do, name)
	}
	if _, err := cl.Ended(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	return nil
}

// killKeeper ends a keeper that hears nothing: a stopped one, say. That is who
// holds the cell's lock, and nobody else than who did not answer, if that is
// known: by now a sweep may hold it, or the keeper's successor.
func (a *app) killKeeper(st *store.Store, name string, unresponsive int) error {
	pid, held := st.Holder(name)
	switch {
	case !held || unresponsive != 0 && pid > 0 && pid != unresponsive:
		return nil
	case pid <= 1 || pid == os.Getpid():
		return fault.Cannot(fault.Host, "fuser "+st.LockPath(name)+" shows who it is", "end the keeper of", name, "its process is not known")
	}
	a.note("the keeper of %s (pid %d) does not answer: it is killed too", name, pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fault.Wrap(fault.Host, err, "", "end the keeper of %s (pid %d)", name, pid)
	}
	for range lastTry {
		if now, held := st.Holder(name); !held || now != pid {
			return nil
		}
		time.Sleep(betweenTries)
	}
	return fault.New(fault.Host, "", "end the keeper of %s (pid %d): it does not end", name, pid)
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
