// Package serve is the half of skep serve that has rights: it accepts connections, knows who is at the other end
// of each and what they may, and does for the page, which has no rights at all, what they ask for. It parses
// nothing that a browser or a guest has sent: the page does, in its jail, and asks in messages of one fixed form.
package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/access"
	"skep/internal/host"
	"skep/internal/page"
	"skep/internal/reader"
	"skep/internal/slim"
	"skep/internal/tool"
)

// Bounds of what one page may do.
const (
	maxConns   = 800
	maxAsks    = 64 // at once; more wait
	askWait    = 20 * time.Minute
	forever    = 365 * 24 * time.Hour
	pageMemory = 192 << 20
)

// Config is what a Server serves.
type Config struct {
	Facts     host.Facts
	Setup     page.Setup
	Listeners []Listener
	Host      Host
	// May says what a user of this host may.
	May func(uid int) May
	// Rights are what the files of running cells give somebody, by the cells' names. nil is nothing.
	Rights func(access.Who) map[string][]string
	// Owner is whom a link signs in as.
	Owner Person
	// Bearer is what whoever reads the metrics shows; "" where nobody may by that.
	Bearer string
	// Say tells people what happened.
	Say func(format string, args ...any)
	// InProcess runs the page without its jail, in tests.
	InProcess bool
}

// Listener is one way in.
type Listener struct {
	net.Listener
	Way page.Way
}

// Server is skep serve while it runs.
type Server struct {
	Config
	people people
	conns  chan accepted

	mu     sync.Mutex
	next   uint64
	open   map[uint64]*visitor
	leases map[uint64]*lease
	lists  lists
}

// visitor is who is at the other end of a connection.
type visitor struct {
	way    page.Way
	person Person
	handed bool // to the page
}

type accepted struct {
	conn page.Conn
	file *os.File
}

// lease is a console that the page has.
type lease struct {
	cell string
	free func()
}

// New makes a server.
func New(c Config) *Server {
	s := &Server{Config: c, conns: make(chan accepted, 16), open: map[uint64]*visitor{}, leases: map[uint64]*lease{}}
	s.people.init()
	return s
}

// Link makes a one-time link's token.
func (s *Server) Link(may May) string {
	return s.people.link(Person{Name: s.Owner.Name, UID: s.Owner.UID, May: may})
}

// Serve serves until the context ends.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, l := range s.Listeners {
		go s.accept(ctx, l)
	}
	slim.Down() // it has little to do most of the time
	go slim.Again(ctx.Done(), slim.Lessen)
	pause := time.Second
	for {
		began := time.Now()
		err := s.page(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > time.Minute {
			pause = time.Second
		}
		if err == nil {
			err = errors.New("it ended")
		}
		if time.Since(began) < 5*time.Second && pause > 8*time.Second {
			return err
		}
		s.Say("the page is started again in %s: %v", pause, err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		pause *= 2
	}
}

// accept takes connections and sees who is at the other end, which the page in its jail could not.
func (s *Server) accept(ctx context.Context, l Listener) {
	for ctx.Err() == nil {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(100 * time.Millisecond) // out of descriptors, most likely
			continue
		}
		file, err := fileOf(c)
		if err == nil {
			v := &visitor{way: l.Way}
			if u, ok := c.(*net.UnixConn); ok {
				v.person = s.peer(u)
			}
			if id, ok := s.admit(v); ok {
				select {
				case s.conns <- accepted{page.Conn{ID: id, Way: l.Way, At: l.at()}, file}:
					file = nil
				case <-ctx.Done():
				}
			}
		}
		if file != nil {
			file.Close()
		}
		c.Close()
	}
}

func (l Listener) at() string {
	if l.Way == page.Local {
		return ""
	}
	return l.Addr().String()
}

func fileOf(c net.Conn) (*os.File, error) {
	f, ok := c.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return f.File()
}

// admit gives a connection a number, unless there are too many.
func (s *Server) admit(v *visitor) (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= maxConns {
		return 0, false
	}
	s.next++
	s.open[s.next] = v
	return s.next, true
}

// page is one life of the page, in its jail.
func (s *Server) page(ctx context.Context) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "page")
	defer theirs.Close()
	pipe, err := page.NewPipe(fds[0], false)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, theirs) }()
	answers, ready := make(chan error, 1), make(chan struct{})
	go func() { answers <- s.answers(ctx, pipe, ready) }()
	go func() {
		select {
		case <-ready: // what is handed to one that fails before would be lost
			s.hand(ctx, pipe)
		case <-ctx.Done():
		}
	}()
	gone := false
	select {
	case err = <-ended:
		gone = true
	case err = <-answers:
	case <-ctx.Done():
	}
	cancel()
	pipe.Close()
	s.freeAll()
	if !gone {
		<-ended // and its jail has been taken away
	}
	return err
}

// run starts the page and returns at its end.
func (s *Server) run(ctx context.Context, theirs *os.File) error {
	if s.InProcess {
		fd, err := unix.FcntlInt(theirs.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return err
		}
		theirs.Close()
		return page.Serve(fd, s.Setup)
	}
	setup, err := json.Marshal(s.Setup)
	if err != nil {
		return err
	}
	out, err := tool.Run(ctx, s.Facts, tool.Job{
		Tool: tool.Reader(reader.Page), Args: []string{string(setup)}, Files: []tool.File{{Name: "serve", File: theirs}},
		Out: io.Discard, Connections: maxConns,
		Limits: tool.Limits{Memory: pageMemory, CPU: forever, Wall: forever, Output: math.MaxInt64},
	})
	if err != nil && len(out.Refused) > 0 {
		err = fmt.Errorf("%w; refused were %v", err, out.Refused)
	}
	if err != nil && out.Words != "" {
		err = fmt.Errorf("%w: %s", err, out.Words)
	}
	return err
}

// hand gives the page what was accepted.
func (s *Server) hand(ctx context.Context, pipe *page.Pipe) {
	for {
		select {
		case a := <-s.conns:
			s.mu.Lock()
			if v := s.open[a.conn.ID]; v != nil {
				v.handed = true
			}
			s.mu.Unlock()
			err := pipe.Send(page.Told{Conn: &a.conn}, a.file)
			a.file.Close()
			if err != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// answers does what the page asks for.
func (s *Server) answers(ctx context.Context, pipe *page.Pipe, ready chan struct{}) error {
	slots := make(chan struct{}, maxAsks)
	for {
		var a page.Ask
		if _, err := pipe.Receive(&a); err != nil {
			return err
		}
		switch a.Do {
		case page.Ready:
			if ready != nil {
				close(ready)
			}
			ready = nil
			continue
		case page.Release: // at once: whoever asks next finds it free
			s.free(a.Number)
			continue
		case page.Closed:
			s.mu.Lock()
			delete(s.open, a.Conn)
			s.mu.Unlock()
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		go func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, askWait)
			defer cancel()
			r := s.answer(ctx, a)
			r.ID = a.ID
			_ = pipe.Send(page.Told{Reply: &r.Reply}, r.files...)
			for _, f := range r.files {
				f.Close()
			}
		}()
	}
}

// free gives up a lease, and freeAll all that a page that has ended had.
func (s *Server) free(number uint64) {
	s.mu.Lock()
	l := s.leases[number]
	delete(s.leases, number)
	s.mu.Unlock()
	if l != nil {
		l.free()
	}
}

func (s *Server) freeAll() {
	s.mu.Lock()
	all := s.leases
	s.leases = map[uint64]*lease{}
	maps.DeleteFunc(s.open, func(_ uint64, v *visitor) bool { return v.handed })
	s.mu.Unlock()
	for _, l := range all {
		l.free()
	}
}
