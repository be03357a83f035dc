package hypervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// qmpPatience bounds a command whose context has no deadline. QEMU answers
// from its main loop, which a slow disk can hold up for seconds.
const qmpPatience = 10 * time.Second

// qmpEvents is how many events wait for the keeper.
const qmpEvents = 64

// ErrQMPClosed: the connection is gone, most often because QEMU is.
var ErrQMPClosed = errors.New("QMP: the connection is closed")

// CommandError is QEMU's own refusal of a command.
type CommandError struct {
	Command string
	Class   string
	Desc    string
}

func (e *CommandError) Error() string { return "QMP " + e.Command + ": " + e.Desc }

// QMP is a connection to a live QEMU. Its methods may be called from any
// goroutine.
type QMP struct {
	conn   net.Conn
	events chan Event
	done   chan struct{} // closed when the reader ends
	lost   atomic.Uint64

	write sync.Mutex // one command at a time on the wire
	vnc   sync.Mutex // one viewer at a time is handed in

	mu      sync.Mutex
	lastID  uint64
	waiting map[uint64]chan qmpMessage
	err     error // why the reader ended
}

// NewQMP greets a QEMU and takes the connection over; on failure it closes
// it.
func NewQMP(ctx context.Context, conn net.Conn) (*QMP, error) {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	if d, ok := ctx.Deadline(); ok {
		_ = conn.SetReadDeadline(d)
	}
	// A context that is cancelled has no deadline that would end the read.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	r := newQMPReader(conn)
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
	q := &QMP{
		conn:    conn,
		events:  make(chan Event, qmpEvents),
		done:    make(chan struct{}),
		waiting: map[uint64]chan qmpMessage{},
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
func (q *QMP) Events() <-chan Event { return q.events }

// Lost is how many events were dropped.
func (q *QMP) Lost() uint64 { return q.lost.Load() }

// Done is closed when the connection is; Err then says why.
func (q *QMP) Done() <-chan struct{} { return q.done }

// Err is why the connection ended, nil while it lives.
func (q *QMP) Err() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// Close ends the connection. QEMU goes on: its socket listens for the next.
func (q *QMP) Close() error {
	err := q.conn.Close()
	<-q.done
	return err
}

// read is the only reader. It never waits for anyone.
func (q *QMP) read(r qmpReader) {
	var err error
	for {
		var m qmpMessage
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
	q.err = fmt.Errorf("%w: %w", ErrQMPClosed, err)
	q.mu.Unlock()
	q.conn.Close()
	close(q.done)
	close(q.events)
}

func (q *QMP) deliver(e Event) {
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

// Execute runs one command and decodes what it returns into result, unless
// that is nil. Strings in result are QEMU's: see clean.
func (q *QMP) Execute(ctx context.Context, command string, args, result any) error {
	return q.execute(ctx, command, args, result, nil)
}

func (q *QMP) execute(ctx context.Context, command string, args, result any, pass *os.File) error {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	q.mu.Lock()
	q.lastID++
	id := q.lastID
	reply := make(chan qmpMessage, 1)
	q.waiting[id] = reply
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		delete(q.waiting, id)
		q.mu.Unlock()
	}()

	line, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        uint64 `json:"id"`
	}{command, args, id})
	if err != nil {
		return fmt.Errorf("QMP %s: %w", command, err)
	}
	if err := q.send(ctx, append(line, '\n'), pass); err != nil {
		return fmt.Errorf("QMP %s: %w", command, err)
	}
	select {
	case m := <-reply:
		if m.Error != nil {
			return &CommandError{command, clean(m.Error.Class), clean(m.Error.Desc)}
		}
		if m.Return == nil {
			return fmt.Errorf("QMP %s: %w: neither return nor error", command, errHostile)
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(m.Return, result); err != nil {
			return fmt.Errorf("QMP %s: %w: %s", command, errHostile, clean(err.Error()))
		}
		return nil
	case <-q.done:
		return fmt.Errorf("QMP %s: %w", command, q.Err())
	case <-ctx.Done():
		return fmt.Errorf("QMP %s: no answer: %w", command, ctx.Err())
	}
}

// send writes one line, with a descriptor alongside where pass is not nil. A
// line that went out in part would spoil all that follow, so then the
// connection ends.
func (q *QMP) send(ctx context.Context, line []byte, pass *os.File) error {
	q.write.Lock()
	defer q.write.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if d, ok := ctx.Deadline(); ok {
		_ = q.conn.SetWriteDeadline(d)
	}
	var n int
	var err error
	if pass == nil {
		n, err = q.conn.Write(line)
	} else {
		n, err = sendWithFile(q.conn, line, pass)
	}
	if err == nil && n < len(line) {
		err = errors.New("short write")
	}
	if err != nil && n > 0 {
		q.conn.Close()
	}
	return err
}

// sendWithFile sends a file's descriptor with the first byte of a line.
func sendWithFile(conn net.Conn, line []byte, f *os.File) (int, error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("descriptors need a UNIX socket, not %T", conn)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	// Control, unlike Fd, leaves the file in non-blocking mode.
	var n int
	var sendErr error
	err = raw.Control(func(fd uintptr) {
		n, _, sendErr = u.WriteMsgUnix(line, syscall.UnixRights(int(fd)), nil)
	})
	return n, errors.Join(err, sendErr)
}

// withPatience gives a context without a deadline one.
func withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, qmpPatience)
}
