// Package reconnect is a connection that outlives what it is connected to: where one ends, the next takes
// its place. A guest's console is such a one, over all lives of its hypervisor.
package reconnect

import (
	"io"
	"net"
	"sync"
)

// Conn is a connection that may be replaced. Whoever reads or writes while there is none waits for one.
type Conn struct {
	mu    sync.Mutex
	cond  *sync.Cond
	conn  net.Conn
	over  bool
	quiet chan struct{} // closed when all that was said has been read
	once  sync.Once
}

// New is a connection that is yet to come.
func New() *Conn {
	r := &Conn{quiet: make(chan struct{})}
	r.cond = sync.NewCond(&r.mu)
	return r
}

// Join goes on with a new connection.
func (r *Conn) Join(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		r.conn.Close()
	}
	r.conn = conn
	r.cond.Broadcast()
}

// End says that no connection will follow.
func (r *Conn) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.cond.Broadcast()
}

// Quiet is closed when all that was said has been read.
func (r *Conn) Quiet() <-chan struct{} { return r.quiet }

// current waits for a connection; nil is the end.
func (r *Conn) current() net.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.conn == nil && !r.over {
		r.cond.Wait()
	}
	return r.conn
}

// drop forgets a connection that has ended.
func (r *Conn) drop(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn == conn {
		r.conn = nil
		r.cond.Broadcast()
	}
	conn.Close()
}

// Read ends only after End.
func (r *Conn) Read(p []byte) (int, error) {
	for {
		conn := r.current()
		if conn == nil {
			r.once.Do(func() { close(r.quiet) })
			return 0, io.EOF
		}
		n, err := conn.Read(p)
		if err != nil {
			r.drop(conn)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// Write gives what one connection no longer takes to the next.
func (r *Conn) Write(p []byte) (n int, err error) {
	for n < len(p) {
		conn := r.current()
		if conn == nil {
			return n, io.ErrClosedPipe
		}
		// Dropping is for the reader, who may still find last words.
		m, err := conn.Write(p[n:])
		n += m
		if err != nil && !r.await(conn) {
			return n, err
		}
	}
	return n, nil
}

// await waits for a connection to be replaced. It is false at the end.
func (r *Conn) await(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.conn == conn && !r.over {
		r.cond.Wait()
	}
	return !r.over
}
