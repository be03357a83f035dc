package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/drill"
	"skep/internal/drill/report"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/store"
)

// apartName is the verb behind drill --ablate. It is not for people.
const apartName = "drill-apart"

// ablation is what it is told on its standard input.
type ablation struct {
	Cell  *cell.Cell `json:"cell"`
	Facts host.Facts `json:"facts"`
	// Within is how long it may take in all.
	Within time.Duration `json:"within"`
}

// ablateWithin is how long drill --ablate may take where nothing else is said. It takes minutes.
const ablateWithin = 30 * time.Minute

// ablateGrace is what the process in the throwaway host has to say where it was, and to release all.
const ablateGrace = time.Minute

// ablate measures in a throwaway host, in a process of its own: without layers the attempts succeed.
func (a *app) ablate(ctx context.Context, find source, within time.Duration) (m report.Matrix, err error) {
	c, facts, _, err := a.ready(ctx, find)
	if err != nil {
		return m, err
	}
	if facts.EUID != 0 {
		return m, fault.New(fault.Host, "run it as root", "measure the layers one by one: only root can do without all of them")
	}
	exe, err := executable()
	if err != nil {
		return m, err
	}
	in, err := json.Marshal(ablation{c, facts, within})
	if err != nil {
		return m, err
	}
	late := fmt.Errorf("it took longer than %s", within)
	ctx, cancel := context.WithTimeoutCause(ctx, within+ablateGrace, late)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, apartName)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, a.err
	if err = drill.Apart(cmd); err == nil {
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	switch {
	case context.Cause(ctx) == late:
		err = late // it did not say so itself
	case errors.As(err, &exit) && exit.Exited():
		return m, shownError{fault.Jail} // it has said why
	}
	if err != nil {
		return m, fault.Wrap(fault.Jail, err, "", "measure the layers of %s", c.Name)
	}
	return m, json.Unmarshal(out.Bytes(), &m)
}

func (a *app) drillApart() *cobra.Command {
	return &cobra.Command{
		Use:    apartName,
		Short:  "Measure the layers in a throwaway host (started by drill --ablate)",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			var in ablation
			if err := json.NewDecoder(a.in).Decode(&in); err != nil || in.Cell == nil {
				return usage("this command is started by skep drill --ablate")
			}
			if err := drill.Furnish(); err != nil {
				return err
			}
			st, err := store.Open(in.Facts.Dirs)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			ctx, cancel := context.WithTimeoutCause(ctx, in.Within, fmt.Errorf("it took longer than %s", in.Within))
			defer cancel()
			m, err := drill.Ablate(ctx, drill.Config{Cell: in.Cell, Facts: in.Facts, Store: st,
				Progress: func(r report.Row) {
					where := ""
					if r.Scene != "" && r.Scene != report.SceneHypervisor {
						where = " in the " + r.Scene + "'s place"
					}
					a.note("measuring %s%s", r.ID, where)
				}})
			if err != nil {
				hint := ""
				if ctx.Err() != nil {
					hint = "--within allows more time"
				}
				return fault.Wrap(fault.Jail, err, hint, "measure the layers")
			}
			return a.json(m)
		},
	}
}

// showMatrix writes what was measured. A layer that stops nothing fails.
func (a *app) showMatrix(m report.Matrix, asProgram bool) error {
	show := func() error { return m.WriteText(a.out) }
	if asProgram {
		show = func() error { return a.json(m) }
	}
	if err := show(); err != nil {
		return err
	}
	if silent := m.Silent(); len(silent) > 0 {
		return fault.Fail(fault.Jail, "", "layer %s stops no attempt", silent[0])
	}
	return nil
}
