package console

import (
	"io"
	"net"
	"sync"
	"time"
)

// Bounds of what is kept in memory for a client.
const (
	maxBacklog = 256 << 10 // said before the first client came
	maxQueue   = 1 << 20   // said and not yet taken by a slow one
)

// Server stands between a guest's serial device and one client at a time, for
// hypervisors that do not serve their console themselves. Whatever the guest
// says goes to the log, whether anybody listens or not; a client that does not
// read loses the oldest of it and never holds up the guest.
type Server struct {
	device   io.ReadWriter
	log      io.Writer
	listener net.Listener

	mu      sync.Mutex
	cond    *sync.Cond
	keep    bool   // nobody has come yet, and somebody is to see all of it
	early   []byte // what was said until then
	client  net.Conn
	queue   []byte // for the client
	said    int64
	ended   bool
	clients sync.WaitGroup
}

// Serve begins to read the device and to take clients. With keep, the first
// client also gets what was said before it came, until Settle.
func Serve(device io.ReadWriter, log io.Writer, l net.Listener, keep bool) *Server {
	s := &Server{device: device, log: log, listener: l, keep: keep}
	s.cond = sync.NewCond(&s.mu)
	go s.read()
	go s.accept()
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
	switch {
	case s.client != nil:
		s.queue = newest(append(s.queue, b...), maxQueue)
		s.cond.Broadcast()
	case s.keep:
		s.early = newest(append(s.early, b...), maxBacklog)
	}
}

func newest(b []byte, max int) []byte {
	if len(b) <= max {
		return b
	}
	return append([]byte(nil), b[len(b)-max:]...)
}

// accept serves clients one after the other.
func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.clients.Add(1)
		s.serve(conn)
		s.clients.Done()
	}
}

func (s *Server) serve(conn net.Conn) {
	s.mu.Lock()
	s.client, s.queue = conn, s.early
	s.keep, s.early = false, nil
	s.mu.Unlock()
	go func() {
		_, _ = io.Copy(s.device, conn)
		// The client is gone, or the device is.
		s.leave(conn)
	}()
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && s.client == conn && !s.ended {
			s.cond.Wait()
		}
		b, over := s.queue, s.client != conn || s.ended && len(s.queue) == 0
		s.queue = nil
		s.mu.Unlock()
		if over {
			break
		}
		if _, err := conn.Write(b); err != nil {
			break
		}
	}
	s.leave(conn)
	conn.Close()
}

func (s *Server) leave(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == conn {
		s.client = nil
		s.cond.Broadcast()
	}
}

// Close stops taking clients and, once the device has ended, waits within a
// bound until the last one has all of it.
func (s *Server) Close(wait time.Duration) {
	s.listener.Close()
	s.mu.Lock()
	ended := s.ended
	if conn := s.client; conn != nil {
		_ = conn.SetWriteDeadline(time.Now().Add(wait))
		if !ended {
			// The device is about to be closed by whoever opened it.
			time.AfterFunc(wait, func() { conn.Close() })
		}
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.clients.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(wait):
	}
}

// BoundedLog appends to a log and keeps it below a size. It is for a log that
// has one writer.
type BoundedLog struct {
	W    io.Writer // the log, opened for appending
	Path string
	Max  int64

	since int64
}

// Write never fails for want of a log: the guest's console goes on without.
func (l *BoundedLog) Write(b []byte) (int, error) {
	n, err := l.W.Write(b)
	// Looking at the size each time would cost more than writing.
	if l.since += int64(n); l.since > min(l.Max/4, 64<<10) {
		l.since = 0
		_ = Trim(l.Path, l.Max)
	}
	return n, err
}
