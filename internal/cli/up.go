package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/background"
	"skep/internal/companion"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) up() *cobra.Command {
	var all, boot bool
	var from string
	cmd := &cobra.Command{
		Use:   "up NAME|FILE… | --all | --boot",
		Short: "Start cells in the background",
		Long: `Start cells in the background. The command returns once each guest is running,
or says why it is not. A cell that is held is started afresh. --all starts
every cell that has a file in the configuration directory; --boot starts those
of them whose file says start = "boot" and leaves alone what runs already. With
--boot a start that fails is reported and tried again in the background, until
the cell's restart_limit is reached. Where one cell names another in its after,
the other is started first.

NAME@INSTANCE is one of many cells of one file, each with a state, a number and
a console of its own: skep up lab@1 lab@2, or 'lab@{1..40}'. --all and --boot
mean the plain cells.

With --from each begins where a template stands still: skep up w@1 w@2 --from T.
Where w is a cell with a file, it is that cell, on the template's board and disks;
else it is the cell that the template was made of. What they write goes when they
end.`,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if boot {
				if from != "" {
					return usage("--boot cannot be combined with --from")
				}
				if all || len(args) > 0 {
					return usage("--boot cannot be combined with names or --all")
				}
				return a.startBoot(cmd.Context())
			}
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			names, err := a.namesOf(args, all, func() ([]string, error) { return cellFiles(dirs), trustedDir(dirs) })
			if err != nil {
				return err
			}
			if from != "" && all {
				return usage("--all cannot be combined with --from")
			}
			if err := a.twice(dirs, args); err != nil {
				return err
			}
			return a.startAll(names, afterOf(dirs, names), func(name string) error {
				if from != "" {
					return a.startFrom(cmd.Context(), from, name)
				}
				return a.start(cmd.Context(), name, false)
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "begin where this template stands still")
	_ = cmd.RegisterFlagCompletionFunc("from", a.completeTemplates)
	cmd.Flags().BoolVar(&all, "all", false, "every cell in the configuration directory")
	cmd.Flags().BoolVar(&boot, "boot", false, "every cell whose file says start = \"boot\"")
	return cmd
}

// twice refuses two files that both describe one cell: which of them it ran
// from would be a matter of luck.
func (a *app) twice(dirs host.Dirs, args []string) error {
	if len(args) < 2 {
		return nil
	}
	from := map[string]string{}
	for _, arg := range args {
		c := peek(dirs, arg)
		if c == nil {
			continue // why is told when it is started
		}
		if other, ok := from[c.Name]; ok && other != c.File {
			return fault.Cannot(fault.Input, "give one of them another name", "start", c.Name, "both %s and %s describe it", other, c.File)
		}
		from[c.Name] = c.File
	}
	return nil
}

// atOnce bounds how many cells are started at the same time: more than there
// are processors, since a start also waits, and few enough that each is quick.
// Stopping is waiting, and all may wait at once.
const atOnce = 8

// each does something to every name, some at once, and reports every failure;
// the status is that of the first.
func (a *app) each(names []string, do func(string) error) error {
	return a.eachOf(names, atOnce, do)
}

func (a *app) eachOf(names []string, atOnce int, do func(string) error) error {
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(atOnce, 1))
	for i, n := range names {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			errs[i] = do(n)
			<-slots
		}()
	}
	wg.Wait()
	return a.some(errs, len(names), "cells")
}

// some is the error for those of many that failed: the only one, or their number once each was shown,
// with the status of the first.
func (a *app) some(errs []error, of int, what string) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	for _, err := range errs {
		a.fail(err)
	}
	return fault.Fail(fault.CodeOf(errs[0]), "", "%d of %d %s failed", len(errs), of, what)
}

// start starts one cell in a keeper process of its own.
func (a *app) start(ctx context.Context, arg string, boot bool) error {
	find, err := a.named(arg)
	if err != nil {
		return err
	}
	return a.startIt(ctx, find, boot)
}

// startFrom is start of a clone.
func (a *app) startFrom(ctx context.Context, from, arg string) error {
	find, err := a.cloned(from, arg)
	if err != nil {
		return err
	}
	return a.startIt(ctx, find, false)
}

func (a *app) startIt(ctx context.Context, find source, boot bool) error {
	c, facts, st, err := a.ready(ctx, find)
	if err != nil {
		return err
	}
	if st.Held(c.Name) {
		return a.startedAlready(st, c)
	}
	if keeper.Orphaned(st, c.Name) {
		return a.adopt(ctx, facts, st, c.Name)
	}
	defer a.slow("starting %s", c.Name)()
	err = a.spawn(background.Handover{Cell: c, Facts: facts, Boot: boot})
	if fault.CodeOf(err) == fault.Busy && st.Held(c.Name) {
		return a.startedAlready(st, c) // by another command, in the meantime
	}
	return err
}

// spawn starts a keeper process and waits for its first word.
func (a *app) spawn(h background.Handover) error {
	name := h.Cell.Name
	exe, err := executable()
	if err != nil {
		return err
	}
	h.Program = exe
	if small := companion.Program(); small != "" {
		exe = small
	}
	in, err := json.Marshal(h)
	if err != nil {
		return err
	}
	// The keeper says what happens on descriptor 3 and closes it; it holds none
	// of our standard streams, so a terminal that goes away is nothing to it.
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(exe, "keeper", name)
	cmd.ExtraFiles = []*os.File{w}
	log, err := keeper.OpenLog(store.View(h.Facts.Dirs), name)
	if err != nil {
		w.Close()
		return err
	}
	defer log.Close()
	cmd.Stderr = log // its own words, and its stacks should it panic or be sent an ABRT
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		w.Close()
		return err
	}
	if err := cmd.Start(); err != nil {
		w.Close()
		return fault.Wrap(fault.Host, err, "", "start a keeper for %s", name)
	}
	w.Close()
	_, _ = stdin.Write(in)
	stdin.Close()
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	err = a.follow(name, r)
	if err != nil && !h.Boot { // at boot it stays, and tries again
		// Who looks after a start that has failed finds nothing of it.
		select {
		case <-ended:
		case <-time.After(lastWait):
		}
	}
	return err
}

// lastWait bounds the wait for a keeper's end that has said all it has to say.
const lastWait = 5 * time.Second

// follow shows what a starting keeper says until it is running.
func (a *app) follow(name string, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var rep background.Report
		if err := json.Unmarshal(lines.Bytes(), &rep); err != nil {
			continue
		}
		switch {
		case rep.Note != "":
			a.note("%s", rep.Note)
		case rep.Running:
			return nil
		case rep.Err() != nil:
			return rep.Err()
		}
	}
	return fault.Cannot(fault.Host, "skep sweep releases what it held", "start", name, "its keeper died")
}

// keeper is the process behind up. It is not for people.
func (a *app) keeper() *cobra.Command {
	return &cobra.Command{
		Use:    "keeper NAME",
		Short:  "Keep one cell (started by up)",
		Hidden: true,
		Args:   oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if code := background.Keep(cmd.Context(), a.in); code != fault.OK {
				return shownError{code}
			}
			return nil
		},
	}
}
