package cli

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
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
	File      string    `json:"file"`
}

func (a *app) ps() *cobra.Command {
	var asJSON, quiet, boot, running bool
	cmd := &cobra.Command{
		Use:   "ps [NAME…]",
		Short: "List cells",
		Long: `List every cell that has a file in the configuration directory, runs, or has
run; or those that are named, or with --boot those that start with the host.

With --running the status is 1 unless every one of them is running.`,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			dirs := host.DirsFor(host.Options{Dirs: a.dirs})
			cells, orphans, err := listCells(dirs)
			if err == nil && len(orphans) > 0 {
				a.adoptAll(cmd.Context(), dirs, orphans...)
				cells, _, err = listCells(dirs)
			}
			if err != nil {
				return err
			}
			if cells, err = a.chosen(dirs, cells, args, boot); err != nil {
				return err
			}
			if running && !allRun(cells) {
				defer func() {
					if err == nil {
						err = shownError{fault.Host}
					}
				}()
			}
			switch {
			case asJSON:
				return a.json(struct {
					Version int        `json:"version"`
					Cells   []cellJSON `json:"cells"`
				}{cellVersion, cells})
			case quiet:
				for _, c := range cells {
					a.printf("%s\n", c.Name)
				}
				return nil
			}
			out := bufio.NewWriter(a.out) // a tabwriter writes each cell of its table by itself
			w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tSTATE\tPID\tUID\tACCEL\tSINCE\tREASON")
			for _, c := range cells {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Name, c.State, dash(c.PID), dash(c.UID), orDash(c.Accel), ago(c.Since), c.Reason)
			}
			return errors.Join(w.Flush(), out.Flush())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for programs")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "names only")
	cmd.Flags().BoolVar(&boot, "boot", false, "the cells whose file says start = \"boot\"")
	cmd.Flags().BoolVar(&running, "running", false, "exit with 1 unless every one is running")
	return cmd
}

// chosen leaves of the cells those that are asked for. A name that nobody knows
// is a mistake, and so is a file that may start with the host and cannot be
// read.
func (a *app) chosen(dirs host.Dirs, cells []cellJSON, names []string, boot bool) ([]cellJSON, error) {
	if boot && len(names) > 0 {
		return nil, usage("take both --boot and names")
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
		return usage("run skep %s: it takes no arguments", cmd.Name())
	}
	return nil
}

// listCells reads the state of every known cell, and says which of them run
// without a keeper.
func listCells(dirs host.Dirs) (cells []cellJSON, orphans []string, err error) {
	names, err := known(dirs)
	if err != nil {
		return nil, nil, err
	}
	st := store.View(dirs)
	cells = make([]cellJSON, 0, len(names))
	for _, n := range names {
		s, held, err := st.ReadState(n)
		if err != nil {
			// One that is damaged must not hide the others.
			cells = append(cells, cellJSON{Name: n, State: "unknown", Reason: "its state cannot be read: " + err.Error(), UID: -1, GID: -1})
			continue
		}
		c := asJSON(s, held)
		if !held && c.PID != 0 {
			orphans = append(orphans, n)
		}
		cells = append(cells, c)
	}
	return cells, orphans, nil
}

// asJSON is the state of a cell; what a dead keeper said is called so.
func asJSON(s store.State, held bool) cellJSON {
	c := cellJSON{
		Name: s.Name, State: string(s.State), Reason: s.Reason, Since: s.Since, PID: s.PID, KeeperPID: s.KeeperPID,
		UID: s.UID, GID: s.GID, Accel: s.Accel, Restarts: s.Restarts, Resets: s.Resets, Screen: s.Screen, File: s.File,
	}
	if !held {
		c.KeeperPID = 0
		switch s.State {
		case store.Starting, store.Running, store.Stopping, store.Crashed:
			if s.KeeperPID != 0 {
				// Whether the guest still runs is for the kernel to say.
				if keeper.Alive(s) {
					c.Reason = "its keeper has died; skep ps takes it up again, skep down ends it"
				} else {
					c.State, c.PID, c.Reason = string(store.Crashed), 0, "its keeper has died; skep sweep releases what it held"
				}
			}
		}
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
