package cli

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/jail"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

// cellVersion is the version of the JSON form of ps and show.
const cellVersion = 1

// cellJSON is one cell as programs see it.
type cellJSON struct {
	Name      string    `json:"name"`
	State     string    `json:"state"`
	Reason    string    `json:"reason"`
	Since     time.Time `json:"since,omitzero"` // of the state; absent for a cell that never ran
	PID       int       `json:"pid"`            // the hypervisor's, as the host sees it; 0 where none runs
	KeeperPID int       `json:"keeper_pid"`
	UID       int       `json:"uid"` // -1 where none runs
	GID       int       `json:"gid"`
	Accel     string    `json:"accel"`
	Restarts  int       `json:"restarts"`
	Resets    int       `json:"resets"`
	Screen    string    `json:"screen"`
	Suspended string    `json:"suspended,omitempty"`
	// Ends is when the time limit is over; ExitCode is the status that the last run ended with.
	Ends     time.Time `json:"ends,omitzero"`
	ExitCode int       `json:"exit_code,omitempty"`
	File     string    `json:"file"`
	Refused  uint64    `json:"refused_calls,omitempty"` // how many; show names them
	// Unexpected are how many of them a hypervisor as it was installed does not ask for.
	Unexpected uint64 `json:"refused_unexpected,omitempty"`
	FileError  string `json:"file_error,omitempty"` // the first mistake in its file as it is now
	// FileDiffers: its file as it is now says something else than the cell that runs, and Differences what.
	FileDiffers bool     `json:"file_differs,omitempty"`
	Differences []string `json:"differences,omitempty"`
	// Owner is whose it is, of a cell that is not this user's own; and May what this user may do with it.
	Owner     string   `json:"owner,omitempty"`
	May       []string `json:"may,omitempty"`
	differing string   // that file
	digest    string   // the cell's at its start
}

func (a *app) ps() *cobra.Command {
	var o psOptions
	cmd := &cobra.Command{
		Use:   "ps [NAME…]",
		Short: "List cells: those that run, are held or need a look",
		Long: `List the cells that run, are held or have crashed, and those whose file has
mistakes; with -a every cell that has a file in the configuration directory,
runs, or has run. Cells that are named are listed in any state, and so are
those of --boot, which start with the host, and those of --json.

With --running the status is 1 unless every one of them is running.`,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !o.watch {
				return a.list(cmd.Context(), args, o)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return a.again(ctx, true, 0, watchPause, func() error {
				a.clearScreen()
				err := a.list(ctx, args, o)
				if shown := (shownError{}); errors.As(err, &shown) {
					return nil // it is watched, not judged
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.all, "all", "a", false, "stopped cells too")
	f.BoolVar(&o.json, "json", false, "for programs")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "names only")
	f.BoolVarP(&o.watch, "watch", "w", false, "again and again, until it is interrupted")
	f.BoolVar(&o.boot, "boot", false, "the cells whose file says start = \"boot\"")
	f.BoolVar(&o.running, "running", false, "exit with 1 unless every one is running")
	return cmd
}

// psOptions are the flags of ps.
type psOptions struct{ all, json, quiet, boot, running, watch bool }

// watchPause is how often a list that is watched is made anew.
const watchPause = 2 * time.Second

func (a *app) list(ctx context.Context, args []string, o psOptions) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	cells, err := listCells(dirs)
	if err != nil {
		return err
	}
	cells = append(cells, othersCells(ctx, dirs, namesIn(cells))...)
	if cells, err = a.chosen(dirs, cells, args, o.boot); err != nil {
		return err
	}
	for i := range cells {
		if cells[i].Owner == "" {
			cells[i].noteFile(dirs)
		}
	}
	status := error(nil)
	if o.running && !allRun(cells) {
		status = shownError{fault.Host}
	}
	if !o.all && !o.json && !o.boot && !o.running && len(args) == 0 {
		cells = slices.DeleteFunc(cells, idle)
	}
	switch {
	case o.json:
		err = a.json(struct {
			Version int        `json:"version"`
			Cells   []cellJSON `json:"cells"`
		}{cellVersion, cells})
	case o.quiet:
		for _, c := range cells {
			a.printf("%s\n", c.Name)
		}
	default:
		err = a.printCells(cells)
	}
	if err != nil {
		return err
	}
	return status
}

func namesIn(cells []cellJSON) (names []string) {
	for _, c := range cells {
		names = append(names, c.Name)
	}
	return names
}

// chosen leaves of the cells those that are asked for. A name that nobody knows
// is a mistake, and so is a file that may start with the host and cannot be
// read.
func (a *app) chosen(dirs host.Dirs, cells []cellJSON, names []string, boot bool) ([]cellJSON, error) {
	if boot && len(names) > 0 {
		return nil, usage("--boot cannot be combined with names")
	}
	if boot {
		list, bad := a.bootCells(dirs)
		if bad != fault.OK {
			return nil, shownError{bad}
		}
		for _, c := range list {
			names = append(names, c.Name)
		}
	} else if len(names) == 0 {
		return cells, nil
	}
	names, err := a.expand(dirs, names)
	if err != nil {
		return nil, err
	}
	some := []cellJSON{}
	for _, n := range names {
		n, err := a.nameOf(dirs, n)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(cells, func(c cellJSON) bool { return c.Name == n })
		if i < 0 {
			return nil, fault.New(fault.Input, a.knownCells(dirs), "find a cell %s", n)
		}
		some = append(some, cells[i])
	}
	return some, nil
}

func allRun(cells []cellJSON) bool {
	return !slices.ContainsFunc(cells, func(c cellJSON) bool { return c.State != string(store.Running) || c.KeeperPID == 0 })
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("skep %s takes no arguments", cmd.Name())
	}
	return nil
}

// listCells reads the state of every known cell.
func listCells(dirs host.Dirs) ([]cellJSON, error) {
	names, err := mine(dirs)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(names, natural)
	st := store.View(dirs)
	cells := make([]cellJSON, 0, len(names))
	for _, n := range names {
		s, held, err := st.ReadState(n)
		if err != nil {
			// One that is damaged must not hide the others.
			cells = append(cells, cellJSON{Name: n, State: "unknown", Reason: "its state cannot be read: " + err.Error(), UID: -1, GID: -1})
			continue
		}
		cells = append(cells, asJSON(s, held))
	}
	return cells, nil
}

// asJSON is the state of a cell; what a dead keeper said is called so.
func asJSON(s store.State, held bool) cellJSON {
	c := cellJSON{
		Name: s.Name, State: string(s.State), Reason: s.Reason, Since: s.Since, PID: s.PID, KeeperPID: s.KeeperPID,
		UID: s.UID, GID: s.GID, Accel: s.Accel, Restarts: s.Restarts, Resets: s.Resets, Screen: s.Screen, Suspended: s.Suspended, Ends: s.Ends, ExitCode: s.ExitCode, File: s.File,
		Refused: s.Refused.Total(), Unexpected: jail.Count(s.Refused.Unexpected()), digest: s.CellDigest,
	}
	if s.PIDStart == 0 && s.End == "" {
		c.Accel = "" // it has never got as far as a hypervisor
	}
	if !held {
		c.KeeperPID = 0
		switch s.State {
		case store.Starting, store.Running, store.Paused, store.Stopping, store.Crashed:
			if s.KeeperPID != 0 {
				// Whether the guest still runs is for the kernel to say.
				if keeper.Alive(s) {
					c.Reason = "its keeper has died; skep adopt " + s.Name + " keeps it, skep down " + s.Name + " ends it"
				} else {
					c.State, c.PID, c.Reason = string(store.Crashed), 0, "its keeper has died; skep sweep releases what it held"
				}
			}
		}
	}
	if pool := poolIn(c.State, c.Suspended); pool != "" {
		c.State, c.Reason = ready, "in the pool "+pool
	}
	if c.PID == 0 {
		c.UID, c.GID = -1, -1
	}
	return c
}

func dash(n int) string {
	if n <= 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// uidText is the uid of the hypervisor: 0 is one too, as on FreeBSD, where a
// cell with a disk or a nic is root in its jail.
func uidText(c cellJSON) string {
	if c.UID < 0 {
		return "-"
	}
	return fmt.Sprint(c.UID)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// ago is how long something has been so, for people.
func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := time.Since(t)
	switch {
	case d < 0:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
