// Package page is the HTTP half of skep serve. It runs in a jail of its own without any right: it can open
// nothing, is handed each connection after it was accepted, and asks for all else over one Pipe, where it is
// decided who may have it. What guests say on their consoles and screens passes through here and nowhere else.
package page

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/slim"
)

// Bounds of HTTP.
const (
	headerWait = 10 * time.Second
	idleWait   = 2 * time.Minute
	writeWait  = 20 * time.Second // for one piece of an answer: a slow client is left behind
	maxHeader  = 16 << 10
	maxBody    = 2 << 20
)

// server is the page while it runs.
type server struct {
	setup Setup
	pipe  *Pipe
	conns chan net.Conn
	done  chan struct{}

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan answer

	consoles consoles
}

type answer struct {
	Reply
	files []*os.File
}

// Serve answers until the pipe ends.
func Serve(fd int, setup Setup) error {
	debug.SetGCPercent(25)
	pipe, err := NewPipe(fd, true)
	if err != nil {
		return err
	}
	s := &server{setup: setup, pipe: pipe, conns: make(chan net.Conn), done: make(chan struct{}), waiting: map[uint64]chan answer{}}
	web := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: headerWait, IdleTimeout: idleWait, MaxHeaderBytes: maxHeader,
		ErrorLog:    log.New(io.Discard, "", 0), // what clients do wrong is theirs
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	secure, err := setup.tls()
	if err != nil {
		return err
	}
	go func() {
		_ = web.Serve(&listener{s: s, secure: secure})
	}()
	time.AfterFunc(time.Second, slim.Within)
	go slim.Again(s.done, slim.Within)
	if err = pipe.Send(Ask{Do: Ready}); err == nil {
		err = s.receive()
	}
	close(s.done)
	_ = web.Close()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// receive takes what is told: connections, and answers.
func (s *server) receive() error {
	for {
		var told Told
		files, err := s.pipe.Receive(&told)
		if err != nil {
			return err
		}
		switch {
		case told.Conn != nil && len(files) == 1:
			select {
			case s.conns <- &conn{Conn: *told.Conn, file: files[0], gone: func() { _ = s.pipe.Send(Ask{Do: Closed, Conn: told.Conn.ID}) }}:
				continue
			case <-time.After(headerWait):
			}
		case told.Reply != nil:
			s.mu.Lock()
			to := s.waiting[told.Reply.ID]
			delete(s.waiting, told.Reply.ID)
			s.mu.Unlock()
			if to != nil {
				to <- answer{*told.Reply, files}
				continue
			}
			if told.Reply.Lease != 0 {
				go s.release(told.Reply.Lease) // nobody waits for it any more
			}
		}
		for _, f := range files {
			f.Close()
		}
	}
}

// ask asks who serves the page.
func (s *server) ask(ctx context.Context, a Ask) (answer, error) {
	to := make(chan answer, 1)
	s.mu.Lock()
	s.next++
	a.ID = s.next
	s.waiting[a.ID] = to
	s.mu.Unlock()
	err := s.pipe.Send(a)
	if err == nil {
		select {
		case got := <-to:
			if got.Fault != nil {
				got.Fault.Status = got.Status
				return got, got.Fault
			}
			return got, nil
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.done:
			err = errGone
		}
	}
	s.mu.Lock()
	if _, still := s.waiting[a.ID]; !still && err != nil {
		select {
		case late := <-to: // it came at the same moment
			for _, f := range late.files {
				f.Close()
			}
			if late.Lease != 0 {
				go s.release(late.Lease)
			}
		default:
		}
	}
	delete(s.waiting, a.ID)
	s.mu.Unlock()
	return answer{}, err
}

// release gives a lease back.
func (s *server) release(lease uint64) {
	_ = s.pipe.Send(Ask{Do: Release, Number: lease})
}

// listener hands the HTTP server what was accepted outside.
type listener struct {
	s      *server
	secure func(net.Conn) net.Conn
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.s.conns:
		if c.(*conn).Way == TLS {
			return l.secure(c), nil
		}
		return c, nil
	case <-l.s.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { return nil }
func (l *listener) Addr() net.Addr { return named("skep serve") }

type named string

func (n named) Network() string { return "unix" }
func (n named) String() string  { return string(n) }

// conn is a net.Conn over a descriptor that is asked nothing: neither its own name nor its peer's.
type conn struct {
	Conn
	file *os.File
	told atomic.Bool // whose certificate it is
	once sync.Once
	gone func()
}

func (c *conn) LocalAddr() net.Addr                { return named(c.At) }
func (c *conn) RemoteAddr() net.Addr               { return named(c.Way) }
func (c *conn) SetDeadline(t time.Time) error      { return c.file.SetDeadline(t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.file.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.file.SetWriteDeadline(t) }

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.file.Read(b)
	return n, bare(err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.file.Write(b)
	return n, bare(err)
}

// bare is an error of a file as one of a network: the HTTP server takes another's time-out for the end of its
// connection.
func bare(err error) error {
	if at := new(fs.PathError); errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Close ends it and says so.
func (c *conn) Close() error {
	if c.gone != nil {
		c.once.Do(func() { go c.gone() })
	}
	return c.file.Close()
}

// CloseWrite says that no more will come.
func (c *conn) CloseWrite() error {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_WR) })
	return errors.Join(cerr, err)
}

// write answers with JSON.
func write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	raw(w, status, "application/json; charset=utf-8", append(body, '\n'))
}

// raw answers within a bound of time.
func raw(w http.ResponseWriter, status int, kind string, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeWait))
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
