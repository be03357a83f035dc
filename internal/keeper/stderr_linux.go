package keeper

import (
	"errors"
	"io"
	"math"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"skep/internal/hypervisor"
)

// lastWords is the hypervisor's standard error: a pipe whose writing end it is
// given, read into what matters of it and into the hypervisor's log.
type lastWords struct {
	w      *os.File
	conn   syscall.RawConn // the reading end
	stderr *hypervisor.Stderr
	done   chan struct{} // closed at its end

	mu  sync.Mutex
	log io.Writer
	buf []byte
}

func (t *linuxTaker) takeStderr() (*lastWords, error) {
	log := t.files["hypervisor-log"]
	if log == nil {
		return nil, errors.New("the plan has no log for the hypervisor")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	l := &lastWords{w: w, stderr: &hypervisor.Stderr{}, done: make(chan struct{}), log: log, buf: make([]byte, 4096)}
	// Without a reader, or with a slow one, the hypervisor goes on.
	err = control(w, func(fd int) error { return unix.SetNonblock(fd, true) })
	if err == nil {
		l.conn, err = r.SyscallConn()
	}
	if err != nil {
		r.Close()
		w.Close()
		return nil, err
	}
	go func() {
		defer close(l.done)
		defer r.Close()
		_ = l.conn.Read(func(fd uintptr) bool { return l.drain(int(fd), math.MaxInt) })
	}()
	return l, nil
}

// catchUp takes in what was written until now, so that what is said on standard
// error before an event of QMP's is known when the event is judged.
func (l *lastWords) catchUp() {
	if l != nil {
		_ = l.conn.Control(func(fd uintptr) { l.drain(int(fd), 1<<20) })
	}
}

// drain reads what is there, up to a bound, and says whether that was the end.
func (l *lastWords) drain(fd, most int) (ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for most > 0 {
		n, err := unix.Read(fd, l.buf)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return false
		case err != nil || n == 0:
			return true
		default:
			most -= n
			_, _ = l.stderr.Write(l.buf[:n])
			_, _ = l.log.Write(l.buf[:n]) // a full disk does not end the reading
		}
	}
	return false
}
