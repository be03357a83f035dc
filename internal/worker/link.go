//go:build linux || freebsd

package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"skep/internal/hypervisor"
	"skep/internal/qmp"
)

// Bounds on what a worker may do to its keeper.
const (
	mostWaiting = 64                   // requests without an answer
	floodBurst  = 256                  // events at once,
	floodPause  = 5 * time.Millisecond // and then one in each of these: twice what a worker sends
	readyWait   = 60 * time.Second     // for its first word, on a host with two hundred that start at once
)

// answerGrace is how much longer a worker has to answer than a request may take. Tests are less patient.
var answerGrace = 5 * time.Second

// ErrLied is what a worker is ended with that does not keep to the protocol.
var ErrLied = errors.New("the worker does not keep to the protocol")

// ErrSilent is one that does not answer.
var ErrSilent = fmt.Errorf("%w: it does not answer", ErrLied)

// ErrOther is a worker of another skep: the file of a running one was replaced.
var ErrOther = errors.New("the worker is another skep's; end the keeper, and skep adopt starts a new one")

// errEnded is a worker that has hung up.
var errEnded = errors.New("the worker has ended")

// Link is a keeper's connection to one worker. Its methods may be called from any goroutine.
type Link struct {
	conn  *conn
	send  sync.Mutex
	heard func(Message) // Event and Gone, in order
	ready chan struct{} // closed with its first word
	done  chan struct{} // closed with the link

	mu      sync.Mutex
	last    uint32
	waiting map[uint32]*pending
	err     error
}

// pending is a request without an answer.
type pending struct {
	act    Act
	answer chan Message
	late   *time.Timer
}

// NewLink takes over the keeper's end of a Pair. heard is told of what comes unasked.
func NewLink(f *os.File, heard func(Message)) (*Link, error) {
	c, err := newConn(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	l := &Link{conn: c, heard: heard, ready: make(chan struct{}), done: make(chan struct{}), waiting: map[uint32]*pending{}}
	go l.receive()
	return l, nil
}

// Done is closed when the link has ended; Err says why.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err is why the link has ended.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close ends the link, and its worker by that.
func (l *Link) Close() { l.end(os.ErrClosed) }

func (l *Link) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = err
	for _, p := range l.waiting {
		p.late.Stop()
	}
	l.conn.f.Close()
	close(l.done)
}

// WaitReady waits for the worker's first word: its jail can be completed.
func (l *Link) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	select {
	case <-l.ready:
		return nil
	case <-l.done:
		return l.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receive is the only reader. Whatever is not as it must be ends the link.
func (l *Link) receive() {
	tokens, at, first := floodBurst, time.Now(), true
	for {
		m, _, err := l.conn.receive(0)
		switch {
		case errors.Is(err, io.EOF):
			err = errEnded
		case errors.Is(err, errForm), errors.Is(err, errSize):
			err = fmt.Errorf("%w: %w", ErrLied, err)
		case err != nil:
		case first != (m.Kind == Ready):
			err = fmt.Errorf("%w: it spoke out of turn", ErrLied)
		case m.Kind == Ready && m.Texts[0] != identity():
			err = fmt.Errorf("%w: it is %s, this is %s", ErrOther, m.Texts[0], identity())
		case m.Kind == Ready:
			first = false
			close(l.ready)
		case m.Kind == Answer:
			err = l.answered(m)
		case m.Kind == Event || m.Kind == Gone:
			now := time.Now()
			tokens = min(floodBurst, tokens+int(now.Sub(at)/floodPause))
			at = now
			if tokens--; tokens < 0 {
				err = fmt.Errorf("%w: it floods", ErrLied)
				break
			}
			l.heard(m)
		default:
			err = fmt.Errorf("%w: it asks", ErrLied)
		}
		if err != nil {
			l.end(err)
			return
		}
	}
}

// answered hands an answer to who waits for it. There is one for each request, and for nothing else.
func (l *Link) answered(m Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.waiting[m.ID]
	if p == nil || p.act != m.Act {
		return fmt.Errorf("%w: it answers what nobody asked", ErrLied)
	}
	delete(l.waiting, m.ID)
	p.late.Stop()
	p.answer <- m // has room for one, and gets no second
	return nil
}

// ask makes one request and waits for its answer. Descriptors stay the caller's.
func (l *Link) ask(ctx context.Context, m Message, files ...*os.File) (Message, error) {
	name := acts[m.Act].name
	wait := patience
	if at, ok := ctx.Deadline(); ok {
		wait = time.Until(at)
	}
	if wait <= 0 {
		return Message{}, context.DeadlineExceeded
	}
	p := &pending{act: m.Act, answer: make(chan Message, 1)}
	l.mu.Lock()
	if l.err != nil || len(l.waiting) >= mostWaiting {
		err := l.err
		l.mu.Unlock()
		if err == nil {
			err = errors.New("too many requests wait for an answer")
		}
		return Message{}, fmt.Errorf("%s: %w", name, err)
	}
	l.last++
	if l.last == 0 {
		l.last = 1
	}
	m.Kind, m.ID, m.Millis = Request, l.last, uint32(min(wait.Milliseconds()+1, 1<<31))
	l.waiting[m.ID] = p
	p.late = time.AfterFunc(wait+answerGrace, func() { l.end(ErrSilent) })
	l.mu.Unlock()

	l.send.Lock()
	_ = l.conn.f.SetWriteDeadline(time.Now().Add(wait + answerGrace))
	err := l.conn.send(m, files...)
	l.send.Unlock()
	if err != nil {
		l.end(fmt.Errorf("%w: %w", errEnded, err))
		return Message{}, fmt.Errorf("%s: %w", name, err)
	}
	select {
	case a := <-p.answer:
		return a, a.err(name)
	case <-l.done:
		return Message{}, fmt.Errorf("%s: %w", name, l.Err())
	case <-ctx.Done():
		return Message{}, fmt.Errorf("%s: no answer: %w", name, ctx.Err())
	}
}

// err is what an answer says of a failure.
func (m Message) err(name string) error {
	switch m.Fault {
	case None:
		return nil
	case Refused:
		return &qmp.CommandError{Command: name, Class: m.Texts[1], Desc: hypervisor.Clean(m.Texts[2])}
	case Closed:
		return fmt.Errorf("%s: %w", name, qmp.ErrClosed)
	case Late:
		return fmt.Errorf("%s: no answer: %w", name, context.DeadlineExceeded)
	}
	return errors.New(hypervisor.Clean(m.Texts[0]))
}
