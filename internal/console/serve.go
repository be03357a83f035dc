package console

import (
	"errors"
	"io"
	"sync"
	"time"
)

// Bounds of what is kept in memory for clients.
const (
	maxBacklog = 256 << 10 // said before the first client came
	maxQueue   = 1 << 20   // said and not yet taken by a slow one
	maxClients = 16
)

// ErrCrowded is what one client too many is told.
var ErrCrowded = errors.New("too many have joined the console")

// Conn is a client's connection.
type Conn interface {
	io.ReadWriteCloser
	SetWriteDeadline(time.Time) error
}

// Server stands between a guest's serial device and its clients, for hypervisors that do not serve their console
// themselves. Whatever the guest says goes to the log, whether anybody listens or not, and to everybody who has
// joined; a client that does not read loses the oldest of it and never holds up the guest. What clients say goes to
// the guest as it comes.
type Server struct {
	device io.ReadWriteCloser
	log    io.Writer

	mu      sync.Mutex
	cond    *sync.Cond
	keep    bool   // nobody has come yet, and somebody is to see all of it
	early   []byte // what was said until then
	clients map[*client]struct{}
	said    int64
	ended   bool
	serving sync.WaitGroup
}

// client is one who has joined.
type client struct {
	conn  Conn
	queue []byte // said, and not written to it yet
	gone  bool
}

// Serve begins to read the device. With keep, the first client also gets what was said before it came, until Settle.
func Serve(device io.ReadWriteCloser, log io.Writer, keep bool) *Server {
	s := &Server{device: device, log: log, keep: keep, clients: map[*client]struct{}{}}
	s.cond = sync.NewCond(&s.mu)
	go s.read()
	return s
}

// Said is how many bytes the guest has said.
func (s *Server) Said() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said
}

// Settle waits, within a bound, for the first client, and then keeps nothing
// for one any more.
func (s *Server) Settle(wait time.Duration) {
	deadline := time.Now().Add(wait)
	for time.Now().Before(deadline) {
		s.mu.Lock()
		done := !s.keep
		s.mu.Unlock()
		if done {
			return
		}
		time.Sleep(time.Millisecond)
	}
	s.mu.Lock()
	s.keep, s.early = false, nil
	s.mu.Unlock()
}

// read takes what the guest says, until the device is closed.
func (s *Server) read() {
	buf := make([]byte, 16<<10)
	for {
		n, err := s.device.Read(buf)
		if n > 0 {
			_, _ = s.log.Write(buf[:n])
			s.deliver(buf[:n])
		}
		if err != nil {
			s.mu.Lock()
			s.ended = true
			s.cond.Broadcast()
			s.mu.Unlock()
			return
		}
	}
}

func (s *Server) deliver(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said += int64(len(b))
	if s.keep {
		s.early = newest(append(s.early, b...), maxBacklog)
		return
	}
	for c := range s.clients {
		c.queue = newest(append(c.queue, b...), maxQueue)
	}
	s.cond.Broadcast()
}

func newest(b []byte, max int) []byte {
	if len(b) <= max {
		return b
	}
	return append([]byte(nil), b[len(b)-max:]...)
}

// Join has one more client hear what the guest says, and say something. Its connection is the server's afterwards.
func (s *Server) Join(conn Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return io.ErrClosedPipe
	case len(s.clients) >= maxClients:
		return ErrCrowded
	}
	c := &client{conn: conn, queue: s.early}
	s.keep, s.early = false, nil
	s.clients[c] = struct{}{}
	s.serving.Add(1)
	go s.serve(c)
	return nil
}

func (s *Server) serve(c *client) {
	defer s.serving.Done()
	go func() {
		_, _ = io.Copy(s.device, c.conn)
		// The client is gone, or the device is.
		s.leave(c)
	}()
	for {
		s.mu.Lock()
		for len(c.queue) == 0 && !c.gone && !s.ended {
			s.cond.Wait()
		}
		b, over := c.queue, c.gone || s.ended && len(c.queue) == 0
		c.queue = nil
		s.mu.Unlock()
		if over {
			break
		}
		if _, err := c.conn.Write(b); err != nil {
			break
		}
	}
	s.leave(c)
	c.conn.Close()
}

func (s *Server) leave(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.gone = true
	delete(s.clients, c)
	s.cond.Broadcast()
}

// silence is how long a device says nothing whose other end has gone.
const silence = 20 * time.Millisecond

// Close reads on until the device has no more to say, closes it, and waits within a bound until each client has all
// of it. The guest is gone by then.
func (s *Server) Close(wait time.Duration) {
	until := time.Now().Add(wait)
	for last := int64(-1); time.Now().Before(until); time.Sleep(silence) {
		now := s.Said()
		if now == last {
			break
		}
		last = now
	}
	s.device.Close()
	s.mu.Lock()
	for c := range s.clients {
		_ = c.conn.SetWriteDeadline(until)
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.serving.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Until(until)):
	}
}

// BoundedLog appends to a log and keeps it below a size. It is for a log that
// has one writer.
type BoundedLog struct {
	W    io.Writer // the log, opened for appending
	Trim func() error
	Max  int64

	since int64
}

// Write never fails for want of a log: the guest's console goes on without.
func (l *BoundedLog) Write(b []byte) (int, error) {
	n, err := l.W.Write(b)
	// Looking at the size each time would cost more than writing.
	if l.since += int64(n); l.since > min(l.Max/4, 64<<10) {
		l.since = 0
		_ = l.Trim()
	}
	return n, err
}
