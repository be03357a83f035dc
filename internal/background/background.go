// Package background is the process behind skep up: a keeper with nobody at its terminal, told on its standard input
// what to keep. It is the program skep-cell where that is installed, and skep itself elsewhere; so nothing in
// here may need what only commands do.
package background

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/slim"
	"skep/internal/store"
	"skep/internal/tool"
)

// Handover is what a keeper process is told on its standard input.
type Handover struct {
	Cell  *cell.Cell `json:"cell"`
	Facts host.Facts `json:"facts"`
	// Adopt: the guest runs already, and its keeper has died.
	Adopt bool `json:"adopt,omitempty"`
	// Boot: a start that fails is tried again.
	Boot bool `json:"boot,omitempty"`
	// Program is skep itself, which holds the readers that a keeper starts; this process may be the small one.
	Program string `json:"program,omitempty"`
	// Pool: the guest answers once and stands still until it is taken.
	Pool *cell.Pool `json:"pool,omitempty"`
}

// A Report is what a keeper process says once the guest runs, or does not.
type Report struct {
	Running bool   `json:"running"`
	Note    string `json:"note,omitempty"`
	fault.Wire
}

// Keep keeps the cell that in tells of until it ends, and returns the exit status.
func Keep(ctx context.Context, in io.Reader) fault.Code {
	var h Handover
	if err := json.NewDecoder(in).Decode(&h); err != nil || h.Cell == nil {
		fmt.Fprintln(os.Stderr, "skep: error: this command is started by skep up")
		return fault.Input
	}
	tool.ReaderProgram = h.Program
	out := newReporter()
	defer out.close()
	st, err := store.Open(h.Facts.Dirs)
	if err != nil {
		out.error(err)
		return fault.CodeOf(err)
	}
	log := keeper.StartLog(ctx, st, h.Cell.Name, os.Stderr)
	var k *keeper.Keeper
	k = keeper.New(keeper.Config{Cell: h.Cell, Facts: h.Facts, Store: st, Boot: h.Boot, Log: log, Audit: Audited,
		Notify: func(line string) {
			log.Info(line)
			out.say(Report{Note: h.Cell.Name + ": " + line})
		},
		Running: func() {
			running := func() {
				out.say(Report{Running: true})
				out.close()
				slim.Down()
			}
			if h.Pool == nil {
				running()
				return
			}
			go func() {
				if err := standReady(k, st.RunDir(h.Cell.Name), *h.Pool); err != nil {
					out.error(err)
					k.Kill(PoolWho + h.Pool.Label) // nobody would take it, and another is started in its place
				}
				running()
			}()
		},
		Waiting: func(err error, pause time.Duration) {
			out.error(fault.Wrap(fault.CodeOf(err), err, "it is tried again in "+pause.String()+"; skep ps shows what became of it", "start %s", h.Cell.Name))
			out.close()
			slim.Down()
		},
	})
	defer Signals(k.Stop, k.Kill)()
	keep := k.Run
	if h.Adopt {
		keep = k.Adopt
	}
	res, err := keep(ctx)
	switch {
	case err != nil:
		out.error(err)
	case res.Code != fault.OK:
		out.error(fault.New(res.Code, "", "keep %s running: %s", h.Cell.Name, res.Reason))
	default:
		out.say(Report{Running: true}) // it ran, and is over already
	}
	out.close()
	k.Flush()
	if err != nil {
		return fault.CodeOf(err)
	}
	return fault.OK
}

// reporter speaks to the up that started this keeper, while it listens.
type reporter struct {
	mu sync.Mutex
	w  *os.File
}

func newReporter() *reporter {
	w := os.NewFile(3, "report")
	if _, err := w.Stat(); err != nil {
		w = nil
	} else {
		syscall.CloseOnExec(3)
	}
	return &reporter{w: w}
}

func (r *reporter) say(rep Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.w == nil {
		return
	}
	b, err := json.Marshal(rep)
	if err == nil {
		_, err = r.w.Write(append(b, '\n'))
	}
	if errors.Is(err, syscall.EPIPE) {
		r.w.Close()
		r.w = nil
	}
}

func (r *reporter) error(err error) {
	r.say(Report{Wire: fault.ToWire(err)})
}

func (r *reporter) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.w != nil {
		r.w.Close()
		r.w = nil
	}
}
