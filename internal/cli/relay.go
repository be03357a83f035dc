package cli

import (
	"io"
	"net"
	"sync"
)

// relay is the console of a guest over all of its hypervisor's lives: where
// one connection ends, the next takes its place, and whoever reads or writes
// meanwhile waits for it.
type relay struct {
	mu    sync.Mutex
	cond  *sync.Cond
	conn  net.Conn
	over  bool
	quiet chan struct{} // closed when all that was said has been read
	once  sync.Once
}

func newRelay() *relay {
	r := &relay{quiet: make(chan struct{})}
	r.cond = sync.NewCond(&r.mu)
	return r
}

// join goes on with a new connection.
func (r *relay) join(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		r.conn.Close()
	}
	r.conn = conn
	r.cond.Broadcast()
}

// end says that no connection will follow.
func (r *relay) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.cond.Broadcast()
}

// current waits for a connection; nil is the end.
func (r *relay) current() net.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.conn == nil && !r.over {
		r.cond.Wait()
	}
	return r.conn
}

// drop forgets a connection that has ended.
func (r *relay) drop(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn == conn {
		r.conn = nil
		r.cond.Broadcast()
	}
	conn.Close()
}

// Read ends only after end.
func (r *relay) Read(p []byte) (int, error) {
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
func (r *relay) Write(p []byte) (n int, err error) {
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
func (r *relay) await(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.conn == conn && !r.over {
		r.cond.Wait()
	}
	return !r.over
}
