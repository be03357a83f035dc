package provision

import (
	"errors"
	"math"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"skep/internal/hypervisor"
	"skep/internal/plan"
)

// lastWords is the hypervisor's standard error: a pipe whose writing end it is
// given, read into what matters of it and into the hypervisor's log.
type lastWords struct {
	w      *os.File
	conn   syscall.RawConn // the reading end
	stderr *hypervisor.Stderr
	done   chan struct{} // closed at its end

	mu  sync.Mutex
	log *os.File
	max int64
	buf []byte
}

func (t *linuxProvisioner) acquireStderr() (*lastWords, error) {
	log := t.files["hypervisor-log"]
	if log == nil {
		return nil, errors.New("the plan has no log for the hypervisor")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	l := &lastWords{w: w, stderr: &hypervisor.Stderr{}, done: make(chan struct{}), log: log, max: t.logBound("hypervisor-log"), buf: make([]byte, 4096)}
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
			l.write(l.buf[:n])
		}
	}
	return false
}

// write keeps what is said. A full disk does not end the reading, and a hypervisor that floods does
// not fill it: what comes faster than the log is cut is lost.
func (l *lastWords) write(p []byte) {
	if info, err := l.log.Stat(); err != nil || info.Size() < l.max {
		_, _ = l.log.Write(p)
	}
}

// logBound is twice what a log may hold; from once on it is cut.
func (t *linuxProvisioner) logBound(name string) int64 {
	for _, l := range plan.Specs[*plan.Log](t.plan) {
		if l.Name == name {
			return 2 * int64(l.Max)
		}
	}
	return 1 << 20
}
