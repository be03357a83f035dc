package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"skep/internal/background"
	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

// poolVersion is the version of the JSON form of pool ls.
const poolVersion = 1

func (a *app) pool() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pool",
		Short: "Have clones of a template wait to be taken",
		Long: `Have clones of a template wait to be taken: pool "lab" { from = "web"  ready = 4 } in
a cell file. skep pool up lab restores so many, has each answer once, and has it
stand still; skep run --pool lab takes one, which goes on at once, and the pool is
filled up behind it. Each is a cell like any other, lab@1 and so on, whose state
is "ready" until it is taken.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q", "pool "+args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	onePool := func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("skep pool %s takes one pool, got %d", cmd.Name(), len(args))
		}
		return nil
	}
	cmd.AddCommand(a.poolList(),
		&cobra.Command{
			Use: "up POOL", Short: "Have as many clones ready as its block says", Args: onePool, ValidArgsFunction: a.completePools,
			RunE: func(cmd *cobra.Command, args []string) error { return a.fillPool(cmd.Context(), args[0]) },
		},
		&cobra.Command{
			Use: "down POOL", Short: "End the clones that are ready", Args: onePool, ValidArgsFunction: a.completePools,
			RunE: func(cmd *cobra.Command, args []string) error { return a.emptyPool(cmd.Context(), args[0]) },
		})
	return cmd
}

// poolIn is the pool that a cell waits in, "" where it is in none.
func poolIn(state string, suspended string) string {
	pool, is := strings.CutPrefix(suspended, background.PoolWho)
	if !is || state != string(store.Paused) {
		return ""
	}
	return pool
}

// pools are those of all cell files.
func (a *app) pools(dirs host.Dirs) (all []cell.Pool) {
	for _, n := range cellFiles(dirs) {
		if c := peek(dirs, n); c != nil {
			all = append(all, c.Pools...)
		}
	}
	return all
}

// findPool is a pool by its name, or the one of a cell file by its path.
func (a *app) findPool(dirs host.Dirs, arg string) (cell.Pool, error) {
	if !haveTemplates {
		return cell.Pool{}, noTemplates()
	}
	all := a.pools(dirs)
	if isPath(arg) {
		c, err := a.load(dirs, arg)
		if err != nil {
			return cell.Pool{}, err
		}
		if all = c.Pools; len(all) == 1 {
			return all[0], nil
		}
		return cell.Pool{}, fault.New(fault.Input, `pool "lab" { from = "web" } makes one`, "find the pool of %s: it has %d", arg, len(all))
	}
	var found []cell.Pool
	for _, p := range all {
		if p.Label == arg {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return cell.Pool{}, fault.New(fault.Input, fmt.Sprintf("pool %q { from = %q } in a cell file makes one", "lab", "web"), "find the pool %s", arg)
	}
	return cell.Pool{}, fault.New(fault.Input, "give one of them another name", "use the pool %s: %d cell files have one of that name", arg, len(found))
}

// inPool are the cells of a pool: those that are ready, and those that were taken and run.
func inPool(st *store.Store, pool string) (ready, taken []string) {
	names, _ := st.RunNames()
	for _, n := range names {
		of, _, is := cell.SplitInstance(n)
		if !is || of != pool || !st.Held(n) {
			continue
		}
		s, _, err := st.ReadState(n)
		switch {
		case err != nil:
		case poolIn(string(s.State), s.Suspended) == pool:
			ready = append(ready, n)
		case s.State == store.Running || s.State == store.Paused:
			taken = append(taken, n)
		}
	}
	return ready, taken
}

// lockPool has one command at a time fill a pool up, or empty it.
func lockPool(dirs host.Dirs, pool string) (*store.Store, *store.Lock, error) {
	st, err := store.Open(dirs)
	if err != nil {
		return nil, nil, err
	}
	lock, err := st.LockNamed("pool-" + pool)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Host, err, "", "lock the pool %s", pool)
	}
	return st, lock, nil
}

// fillPool starts as many clones as are missing.
func (a *app) fillPool(ctx context.Context, arg string) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	p, err := a.findPool(dirs, arg)
	if err != nil {
		return err
	}
	t, err := a.templates().Get(p.From)
	if err != nil {
		return err
	}
	if t.Cell.TimeLimit > 0 {
		return fault.New(fault.Input, "leave time_limit out and make the template again", "fill the pool %s: the time limit of its cells would be over while they wait", p.Label)
	}
	st, lock, err := lockPool(dirs, p.Label)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	ready, _ := inPool(st, p.Label)
	var names []string
	for n := 1; len(ready)+len(names) < p.Ready; n++ {
		name := p.Label + "@" + strconv.Itoa(n)
		if !st.Held(name) && !keeper.Orphaned(st, name) {
			names = append(names, name)
		}
	}
	defer a.slow("filling the pool %s", p.Label)()
	return a.each(names, func(name string) error { return a.startReady(ctx, p, name) })
}

// startReady starts one clone, which is ready when this returns.
func (a *app) startReady(ctx context.Context, p cell.Pool, name string) error {
	t, err := a.templates().Get(p.From)
	if err != nil {
		return err
	}
	ref := cell.TemplateRef{Name: t.Name, Dir: a.templates().Dir(t.Name)}
	clone := t.Cell.Renamed(name).Clone(ref, t.Cell)
	clone.Restart, clone.Start, clone.After, clone.Pools = cell.RestartNever, cell.StartManual, nil, nil
	c, facts, _, err := a.ready(ctx, func(host.Facts) (*cell.Cell, error) { return clone, nil })
	if err != nil {
		return err
	}
	return a.spawn(background.Handover{Cell: c, Facts: facts, Pool: &p})
}

// emptyPool ends the clones that nobody has taken.
func (a *app) emptyPool(ctx context.Context, arg string) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	p, err := a.findPool(dirs, arg)
	if err != nil {
		return err
	}
	st, lock, err := lockPool(dirs, p.Label)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	ready, _ := inPool(st, p.Label)
	return a.each(ready, func(name string) error { return a.end(ctx, dirs, name, "kill", "skep pool down") })
}

// fillBehind has another process fill a pool up.
func (a *app) fillBehind(dirs host.Dirs, arg string) error {
	exe, err := executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, "--config-dir", dirs.Config, "--state-dir", dirs.State, "--run-dir", dirs.Run, "pool", "up", arg)
	cmd.Dir = "/"
	if isPath(arg) {
		cmd.Dir = "" // it may be named from here
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fault.Wrap(fault.Host, err, "skep pool up "+arg, "fill the pool %s", arg)
	}
	go func() { _ = cmd.Wait() }()
	return nil
}

func (a *app) poolList() *cobra.Command {
	var asProgram bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the pools of the cell files",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			st := store.View(dirs)
			type row struct {
				Name  string   `json:"name"`
				From  string   `json:"from"`
				Want  int      `json:"want"`
				Ready []string `json:"ready"`
				Taken []string `json:"taken"`
			}
			rows := []row{}
			for _, p := range a.pools(dirs) {
				ready, taken := inPool(st, p.Label)
				rows = append(rows, row{p.Label, p.From, p.Ready, append([]string{}, ready...), append([]string{}, taken...)})
			}
			if asProgram {
				return a.json(struct {
					Version int   `json:"version"`
					Pools   []row `json:"pools"`
				}{poolVersion, rows})
			}
			w := tabwriter.NewWriter(asked{a.ui}, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "POOL\tFROM\tREADY\tTAKEN")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%d of %d\t%d\n", r.Name, r.From, len(r.Ready), r.Want, len(r.Taken))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

func (a *app) completePools(_ *cobra.Command, args []string, typed string) (names []string, d cobra.ShellCompDirective) {
	for _, p := range a.pools(probe.DirsFor(probe.Options{Dirs: a.dirs})) {
		if len(args) == 0 && strings.HasPrefix(p.Label, typed) {
			names = append(names, p.Label)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// errNoneReady: another has taken the last one.
var errNoneReady = errors.New("none of its cells is ready")
