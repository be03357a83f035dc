package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/probe"
	"skep/internal/store"
	used "skep/internal/usage"
)

// statJSON is what one cell uses.
type statJSON struct {
	Version int       `json:"version"` // 1
	Name    string    `json:"name"`
	Time    time.Time `json:"time"`
	State   string    `json:"state"`
	CPUs    int       `json:"cpus"`
	// CPUPercent is of one processor, since the look before, a moment ago.
	CPUPercent float64 `json:"cpu_percent"`
	Given      int64   `json:"memory_given_bytes"` // to the guest
	used.Use
}

// statPause is between the two looks of a cell that is looked at once.
const statPause = 300 * time.Millisecond

func (a *app) stats() *cobra.Command {
	var watch, asProgram bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "stats [NAME…]",
		Short: "Show what running cells use: processor, memory, disk, network",
		Long: `Show what running cells use of their host, as the kernel counts it for each
hypervisor and its taps: the share of a processor, the memory of the hypervisor
with what the guest has touched of its own, and what was read from disks, written
to them, received and sent since the hypervisor started. With --watch again and
again, until it is interrupted; with --json a line for each cell.

What the kernel does not tell an ordinary user, and what a host does not count,
is shown as 0.`,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if every < statPause {
				return usage("--every must be at least %s, got %s", statPause, every)
			}
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			var names []string
			for _, arg := range args {
				name, err := a.nameOf(dirs, arg)
				if err == nil {
					err = a.mustKnow(dirs, name)
				}
				if err != nil {
					return err
				}
				if !store.View(dirs).Held(name) {
					return fault.Cannot(fault.Host, "skep up "+name+" starts it", "look at", name, "it is not running")
				}
				names = append(names, name)
			}
			s := &served{a: a, dirs: dirs}
			before := map[string]statJSON{}
			s.stats(names, before)
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return a.again(ctx, watch, statPause, every, func() error { return a.printStats(s.stats(names, before), asProgram, watch) })
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "again and again")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "the pause of --watch")
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

// again does something after a pause, and where it is watched after each pause that follows.
func (a *app) again(ctx context.Context, watch bool, first time.Duration, every time.Duration, do func() error) error {
	gone := readerGone(ctx, a.out)
	for pause := first; ; pause = every {
		select {
		case <-ctx.Done():
			return nil
		case <-gone:
			return nil
		case <-time.After(pause):
		}
		if err := do(); err != nil || !watch || a.lost != nil {
			return err
		}
	}
}

// stats looks at cells that run, all of them where none is named, and remembers what it saw.
func (s *served) stats(names []string, before map[string]statJSON) (all []statJSON) {
	cells, err := listCells(s.dirs)
	if err != nil {
		return nil
	}
	for _, c := range cells {
		if len(names) > 0 && !slices.Contains(names, c.Name) || c.PID == 0 {
			continue
		}
		f := s.fit(c.Name)
		u, err := used.Of(c.PID, f.taps)
		if err != nil {
			continue // it has ended meanwhile
		}
		now := statJSON{Version: 1, Name: c.Name, Time: time.Now().UTC(), State: c.State, CPUs: f.cpus, Given: f.memory, Use: u}
		if was, ok := before[c.Name]; ok && u.CPU >= was.CPU {
			if d := now.Time.Sub(was.Time).Seconds(); d > 0 {
				now.CPUPercent = float64(int(1000*(u.CPU-was.CPU)/d)) / 10
			}
		}
		before[c.Name] = now
		all = append(all, now)
	}
	return all
}

// clearScreen clears a terminal.
func (a *app) clearScreen() {
	if terminal(a.out) != nil {
		a.printf("\x1b[H\x1b[2J")
	}
}

func (a *app) printStats(all []statJSON, asProgram, watch bool) error {
	if asProgram {
		for _, one := range all {
			line, err := json.Marshal(one)
			if err != nil {
				return err
			}
			a.printf("%s\n", line)
		}
		return nil
	}
	if watch {
		a.clearScreen()
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tCPU\tMEMORY\tREAD\tWRITTEN\tRECEIVED\tSENT")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%.1f%%\t%s of %s\t%s\t%s\t%s\t%s\n", s.Name, s.State, s.CPUPercent, amount(s.Memory), amount(s.Given),
			amount(s.Read), amount(s.Written), amount(s.In), amount(s.Out))
	}
	w.Flush()
	a.printf("%s", b.String())
	return nil
}

// amount is a number of bytes for people.
func amount(n int64) string {
	for _, u := range []string{"B", "K", "M", "G"} {
		if n < 10_000 {
			return fmt.Sprintf("%d%s", n, u)
		}
		n >>= 10
	}
	return fmt.Sprintf("%dT", n)
}
