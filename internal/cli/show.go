package cli

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/jail"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/store"
)

// showJSON is one cell with all it holds.
type showJSON struct {
	Version int `json:"version"`
	cellJSON
	Reach       *store.Reach      `json:"room"`
	Jail        *jail.Record      `json:"jail"`
	Worker      *store.Worker     `json:"worker,omitempty"` // who speaks with the hypervisor
	WorkerJail  *jail.Record      `json:"worker_jail,omitempty"`
	Services    []store.Service   `json:"services,omitempty"` // networks, captures, the TPM
	Plan        *plan.Plan        `json:"plan"`
	Relaxations []cell.Relaxation `json:"loosenings"`
	ConsoleLog  string            `json:"console_log"`
	// Calls that the hypervisor asked for and did not get: while the guest runs, and in its start, which
	// bans a few. Uncounted says why there may have been more.
	Refused          map[string]uint64 `json:"refused"`
	RefusedExpected  map[string]uint64 `json:"refused_expected,omitempty"` // of Refused: how many mean nothing
	RefusedInStart   map[string]uint64 `json:"refused_in_start,omitempty"`
	RefusedUncounted string            `json:"refused_uncounted,omitempty"`
	// Of a cell that crashed or is held.
	LastConsole []string `json:"last_console,omitempty"`
	LastWords   []string `json:"last_words,omitempty"`
}

func (a *app) show() *cobra.Command {
	var asProgram bool
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one cell with all it holds",
		Long:              "Show one cell: its state, every resource it holds, each layer of its jail, and what its file relaxes.",
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			name, err := a.nameOf(dirs, args[0])
			if err != nil {
				return err
			}
			out, s, err := a.shown(cmd.Context(), dirs, name)
			if err != nil {
				return err
			}
			if now := liveLayers(s); now != nil && s.Jail != nil {
				seen := *s.Jail
				seen.Layers = now
				out.Jail = &seen
			}
			// The file may have changed since; what the cell holds is in its state.
			out.Relaxations = append([]cell.Relaxation{}, s.Relaxations...)
			out.Refused = map[string]uint64{}
			if r := s.Refused; r != nil {
				maps.Copy(out.Refused, r.Run)
				out.RefusedExpected, out.RefusedInStart, out.RefusedUncounted = r.Expected, r.Start, r.Uncounted
			}
			out.LastConsole, out.LastWords = s.LastConsole, s.LastWords
			if out.Owner == "" {
				if file := dirs.CellFile(name); out.File == "" && exists(file) {
					out.File = file // it never ran
				}
				out.noteFile(dirs)
			}
			if asProgram {
				return a.json(out)
			}
			return a.showText(out)
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

// shown is what is known of a cell, this user's own or one of root's.
func (a *app) shown(ctx context.Context, dirs host.Dirs, name string) (out showJSON, s store.State, err error) {
	held := true
	cl, err := reached(dirs, name)
	switch {
	case err != nil:
		return out, s, err
	case cl != nil:
		if s, out.May, err = stateOfOther(ctx, cl, name); err != nil {
			return out, s, err
		}
		out.Owner = rootsOwn
	default:
		if err := a.mustKnow(dirs, name); err != nil {
			return out, s, err
		}
		st := store.View(dirs)
		if s, held, err = st.ReadDetail(name); err != nil {
			return out, s, fault.Wrap(fault.Host, err, "", "read the state of %s", name)
		}
		out.ConsoleLog = filepath.Join(st.StateDir(name), layout.ConsoleLog)
	}
	owner, may := out.Owner, out.May
	out.Version, out.cellJSON = cellVersion, asJSON(s, held)
	out.Owner, out.cellJSON.May = owner, may
	out.Reach, out.Jail, out.Plan, out.Worker, out.WorkerJail = s.Reach, s.Jail, s.Plan, s.Worker, s.WorkerJail
	out.Services = s.Services
	return out, s, nil
}

func (a *app) showText(s showJSON) error {
	w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	row := func(k, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", k, cell.Printable(fmt.Sprintf(format, args...)))
	}
	row("name", "%s", s.Name)
	row("state", "%s (%s)", s.State, ago(s.Since))
	if !s.Ends.IsZero() && s.PID != 0 {
		row("ends", "%s, by its time limit", s.Ends.Local().Format(time.DateTime))
	}
	if s.Reason != "" {
		row("reason", "%s", s.Reason)
	}
	if s.File != "" {
		row("file", "%s", s.File)
	}
	if s.FileError != "" {
		row("", "mistake in %s", s.FileError)
	}
	if s.FileDiffers {
		row("", "%s differs from what runs: %s; skep restart %s applies it", s.differing, strings.Join(s.Differences, ", "), s.Name)
	}
	if s.PID != 0 {
		row("hypervisor", "pid %d, uid %d, gid %d, %s", s.PID, s.UID, s.GID, orDash(s.Accel))
		row("keeper", "pid %s", dash(s.KeeperPID))
		if w := s.Worker; w != nil {
			text := fmt.Sprintf("pid %d, uid %d", w.PID, w.UID)
			if w.Restarts > 0 {
				text += fmt.Sprintf(", restarts %d: %s", w.Restarts, w.Reason)
			}
			row("worker", "%s", text)
		}
		row("resets", "%d, restarts %d", s.Resets, s.Restarts)
	}
	if s.Plan != nil {
		row("panics", "%s", panicsSeen(s.Plan))
	}
	for _, n := range nicLines(s.Plan) {
		row("nic "+n.label, "%s", n.text)
	}
	if s.Screen != "" {
		row("screen", "%s", s.Screen)
	}
	if s.Owner != "" {
		row("owner", "%s; you may %s", s.Owner, strings.Join(s.May, ", "))
	} else {
		row("console log", "%s", s.ConsoleLog)
	}
	if r := s.Reach; r != nil {
		row("accessible", "%s", r)
	}
	seen := &jail.Refusals{Run: s.Refused, Expected: s.RefusedExpected}
	if usual := jail.Names(seen.Expected); len(usual) > 0 {
		row("expected refusals", "%s", strings.Join(usual, ", "))
	}
	if names := jail.Names(seen.Unexpected()); len(names) > 0 || s.RefusedUncounted != "" {
		row("refused calls", "%s", strings.Join(slices.DeleteFunc(append(names, s.RefusedUncounted), isEmpty), ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, last := range []struct {
		of    string
		lines []string
	}{{"the console", s.LastConsole}, {"the hypervisor", s.LastWords}} {
		if len(last.lines) > 0 {
			a.printf("\nlast of %s\n", last.of)
		}
		for _, line := range last.lines {
			a.printf("  %s\n", cell.Printable(line))
		}
	}
	if s.Plan != nil {
		a.printf("\nresources\n")
		for _, r := range s.Plan.Resources {
			fmt.Fprintf(w, "  %s\t%s\n", r.ID, r.Why)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if s.Jail != nil {
		a.printf("\nlayers\n")
		for _, d := range s.Jail.Layers {
			detail := d.Detail
			if d.By != "" {
				detail = "by " + string(d.By) + "; " + detail
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\n", d.ID, d.Verdict, cell.Printable(detail))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if len(s.Relaxations) > 0 {
		a.printf("\nrelaxations\n")
		for _, l := range s.Relaxations {
			fmt.Fprintf(w, "  %s:%d\t%s\t%s\n", cell.Printable(l.Pos.File), l.Pos.Line, l.Path, cell.Printable(l.What))
		}
	}
	return w.Flush()
}

// mustKnow refuses the name of a cell that nobody has heard of.
func (a *app) mustKnow(dirs host.Dirs, name string) error {
	names, err := mine(dirs)
	if err != nil {
		return err
	}
	if slices.Contains(names, name) {
		return nil
	}
	if err := knowOther(context.Background(), dirs, name); err != nil {
		return err
	}
	if name == "hello" {
		return nil
	}
	return fault.New(fault.Input, a.knownCells(dirs), "find a cell %s", name)
}

func isEmpty(s string) bool { return s == "" }
