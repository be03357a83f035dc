// Package qmp speaks with a live QEMU, whose replies are hostile: they are bounded, timed and never used as paths.
package qmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"skep/internal/hypervisor"
)

// patience bounds a command whose context has no deadline. QEMU answers
// from its main loop, which a slow disk can hold up for seconds.
const patience = 10 * time.Second

// maxEvents is how many events wait for the keeper.
const maxEvents = 64

// ErrClosed: the connection is gone, most often because QEMU is.
var ErrClosed = errors.New("QMP: the connection is closed")

// CommandError is QEMU's own refusal of a command.
type CommandError struct {
	Command string
	Class   string
	Desc    string
}

func (e *CommandError) Error() string { return "QMP " + e.Command + ": " + e.Desc }

// Client is a connection to a live QEMU. Its methods may be called from any
// goroutine.
type Client struct {
	conn   net.Conn
	events chan hypervisor.Event
	done   chan struct{} // closed when the reader ends
	lost   atomic.Uint64

	write sync.Mutex // one command at a time on the wire
	vnc   sync.Mutex // one viewer at a time is handed in

	mu      sync.Mutex
	lastID  uint64
	waiting map[uint64]chan message
	err     error // why the reader ended
}

// New greets a QEMU and takes the connection over; on failure it closes
// it.
func New(ctx context.Context, conn net.Conn) (*Client, error) {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	if d, ok := ctx.Deadline(); ok {
		_ = conn.SetReadDeadline(d)
	}
	// A context that is cancelled has no deadline that would end the read.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	r := newReader(conn)
	m, err := r.next()
	if err == nil && m.Greeting == nil {
		err = fmt.Errorf("%w: no greeting", errHostile)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("QMP: %w", err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	q := &Client{
		conn:    conn,
		events:  make(chan hypervisor.Event, maxEvents),
		done:    make(chan struct{}),
		waiting: map[uint64]chan message{},
	}
	go q.read(r)
	if err := q.Execute(ctx, "qmp_capabilities", nil, nil); err != nil {
		q.Close()
		return nil, err
	}
	return q, nil
}

// Events delivers what happens, in order, and is closed with the connection.
// When nobody reads, the oldest are dropped and counted by Lost: what is true
// now can always be asked for.
func (q *Client) Events() <-chan hypervisor.Event { return q.events }

// Lost is how many events were dropped.
func (q *Client) Lost() uint64 { return q.lost.Load() }

// Done is closed when the connection is; Err then says why.
func (q *Client) Done() <-chan struct{} { return q.done }

// Err is why the connection ended, nil while it lives.
func (q *Client) Err() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// Close ends the connection. QEMU goes on: its socket listens for the next.
func (q *Client) Close() error {
	err := q.conn.Close()
	<-q.done
	return err
}

// read is the only reader. It never waits for anyone.
func (q *Client) read(r reader) {
	var err error
	for {
		var m message
		if m, err = r.next(); err != nil {
			break
		}
		if m.Event != "" {
			if e, ok := decodeEvent(m); ok {
				q.deliver(e)
			}
			continue
		}
		if m.ID == nil {
			continue // an error about a line that was not JSON; we send none
		}
		q.mu.Lock()
		if ch, ok := q.waiting[*m.ID]; ok {
			delete(q.waiting, *m.ID)
			ch <- m // has room for one
		}
		q.mu.Unlock()
	}
	q.mu.Lock()
	q.err = fmt.Errorf("%w: %w", ErrClosed, err)
	q.mu.Unlock()
	q.conn.Close()
	close(q.done)
	close(q.events)
}

func (q *Client) deliver(e hypervisor.Event) {
	for {
		select {
		case q.events <- e:
			return
		default:
		}
		select {
		case <-q.events:
			q.lost.Add(1)
		default:
		}
	}
}

// withPatience gives a context without a deadline one.
func withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, patience)
}
