package keeper

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"skep/internal/events"
)

// Bounds of a program of on_event: how long it may take for one event, how many events wait for it, and how
// much of what it says is kept.
const (
	hookTime  = 10 * time.Second
	hookQueue = 256
	hookSays  = 4 << 10
	// hookLast bounds the wait for it at the end of the keeper.
	hookLast = 15 * time.Second
)

// hook runs a program with each event on its standard input, one after the other. The guest does not wait
// for it: what does not fit into the queue is missed, and the next event says how many were.
//
// It runs outside of the jail as whoever keeps the cell, because the cell file, which names it, is trusted
// as much: with / as its directory, none of the keeper's descriptors, nothing in its environment but PATH
// and the cell's name, in a process group of its own that is killed when its time is over.
type hook struct {
	program, cell string
	log           *slog.Logger
	queue         chan []byte
	missed        atomic.Uint64
	done          chan struct{}
}

func startHook(program, cell string, log *slog.Logger) *hook {
	h := &hook{program: program, cell: cell, log: log, queue: make(chan []byte, hookQueue), done: make(chan struct{})}
	go func() {
		defer close(h.done)
		for line := range h.queue {
			h.run(line)
		}
	}()
	return h
}

// tell never waits.
func (h *hook) tell(line []byte) {
	if n := h.missed.Swap(0); n > 0 {
		line = events.WithMissed(line, n)
		select {
		case h.queue <- line:
		default:
			h.missed.Add(n + 1)
		}
		return
	}
	select {
	case h.queue <- bytes.Clone(line):
	default:
		h.missed.Add(1)
	}
}

// end has it hear of what waits, within a bound. Nobody tells it any more.
func (h *hook) end() {
	if h == nil {
		return
	}
	close(h.queue)
	select {
	case <-h.done:
	case <-time.After(hookLast):
		h.log.Warn("on_event", "program", h.program, "error", "it has not heard of all events")
	}
}

func (h *hook) run(line []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), hookTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.program)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SKEP_CELL=" + h.cell}
	cmd.Stdin = bytes.NewReader(append(line, '\n'))
	said := &bytes.Buffer{}
	cmd.Stdout = &limited{said, hookSays}
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for who keeps its output open
	if err := cmd.Run(); err != nil {
		h.log.Warn("on_event", "program", h.program, "error", err, "said", said.String())
	}
}

// limited drops what is over a limit.
type limited struct {
	to   io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	_, _ = l.to.Write(p[:n])
	return len(p), nil
}
