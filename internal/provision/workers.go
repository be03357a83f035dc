//go:build linux || freebsd

package provision

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/console"
	"skep/internal/jail"
	"skep/internal/plan"
	"skep/internal/store"
	"skep/internal/worker"
)

// workerPause is how long it takes until a worker that has died is started again, workerPauses the most that
// this grows to where one dies after the other, and workerCalm how long one has to live for that to begin anew.
const (
	workerPause  = 50 * time.Millisecond
	workerPauses = 30 * time.Second
	workerCalm   = time.Minute
)

// aWorker is one process.
type aWorker struct {
	proc  workerProcess
	link  *worker.Link
	began time.Time
}

// workerProcess is its process, in a jail.
type workerProcess interface {
	Pid() int
	StartTime() uint64
	Kill() error
	Wait(context.Context) (jail.Exit, error)
	Release() error
}

// beginning starts a process with that socket to its keeper, and returns once its jail is complete. It has read nothing
// by then. With an error there may be a process all the same.
type beginning func(ctx context.Context, keeper *os.File, link *worker.Link) (workerProcess, *jail.Record, error)

// workers has one be there for as long as the hypervisor is.
type workers struct {
	spec   *plan.Worker
	client *worker.Client
	begin  beginning
	cancel context.CancelFunc
	ctx    context.Context
	first  chan struct{} // closed when the first is there, or cannot be
	err    error         // why it cannot; valid once first is closed
	change chan struct{} // another one is there; holds one

	mu     sync.Mutex
	now    *aWorker
	state  store.Worker
	record *jail.Record
	ended  chan struct{} // closed when nobody starts another any more; nil where nobody does
}

// startWorkers begins to start the first. What comes of it is known by wait.
func startWorkers(s *plan.Worker, begin beginning) *workers {
	w := &workers{spec: s, client: worker.NewClient(), begin: begin, first: make(chan struct{}), change: make(chan struct{}, 1)}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(w.first)
		w.err = w.start()
	}()
	return w
}

// wait returns when the first worker is there.
func (w *workers) wait(ctx context.Context) (store.Held, error) {
	select {
	case <-w.first:
	case <-ctx.Done():
		return store.Held{}, ctx.Err()
	}
	if w.err != nil {
		return store.Held{}, w.err
	}
	st := w.worker()
	return store.Held{PID: st.PID, Start: st.Start}, nil
}

// worker is who it is now.
func (w *workers) worker() store.Worker {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// link is the connection to the worker that there is.
func (w *workers) link() *worker.Link {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now.link
}

// start starts one, and completes its jail before it has read anything.
func (w *workers) start() error {
	ours, theirs, err := worker.Pair()
	if err != nil {
		return err
	}
	defer theirs.Close() // so that its end shows
	link, err := worker.NewLink(ours, w.client.Heard)
	if err != nil {
		return err
	}
	began := time.Now()
	proc, record, err := w.begin(w.ctx, theirs, link)
	one := &aWorker{proc: proc, link: link, began: began}
	if err != nil {
		if proc == nil {
			link.Close()
			return err
		}
		one.end()
		return fmt.Errorf("start the worker: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.record = one, record
	w.state.PID, w.state.Start, w.state.UID, w.state.GID = proc.Pid(), proc.StartTime(), w.spec.UID, w.spec.GID
	return nil
}

// end ends a worker and waits for it.
func (a *aWorker) end() {
	a.link.Close()
	_ = a.proc.Kill()
	_, _ = a.proc.Wait(context.Background())
	_ = a.proc.Release()
}

// keep starts another worker when one has ended, until exited. told is called with each, and failed once where the
// first try does not succeed.
func (w *workers) keep(exited <-chan struct{}, hand func(context.Context) error, told func(reason string), failed func(error)) {
	ended := make(chan struct{})
	w.mu.Lock()
	w.ended = ended
	w.mu.Unlock()
	go func() {
		defer close(ended)
		pause := workerPause
		for {
			w.mu.Lock()
			one := w.now
			w.mu.Unlock()
			select {
			case <-one.link.Done():
			case <-exited:
				return
			case <-w.ctx.Done():
				return
			}
			w.client.Use(nil)
			reason := one.reason()
			if time.Since(one.began) > workerCalm {
				pause = workerPause
			}
			for tries := 0; ; tries++ {
				select {
				case <-time.After(pause):
				case <-exited:
					return
				case <-w.ctx.Done():
					return
				}
				pause = min(2*pause, workerPauses)
				err := w.again(hand)
				if err == nil {
					break
				}
				if tries == 0 {
					failed(err)
				}
			}
			w.mu.Lock()
			w.state.Restarts++
			w.state.Reason = reason
			w.mu.Unlock()
			told(reason)
			select {
			case w.change <- struct{}{}:
			default:
			}
		}
	}()
}

// again starts another one and has it speak with the hypervisor.
func (w *workers) again(hand func(context.Context) error) error {
	if err := w.start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(w.ctx, quitWait)
	defer cancel()
	err := hand(ctx)
	if err != nil {
		w.client.Use(nil)
		w.now.end()
	}
	return err
}

// reason ends a worker whose link has ended, and says how that came.
func (a *aWorker) reason() string {
	why := a.link.Err()
	_ = a.proc.Kill()
	exit, _ := a.proc.Wait(context.Background())
	_ = a.proc.Release()
	switch {
	case errors.Is(why, worker.ErrLied), errors.Is(why, worker.ErrOther):
		return why.Error()
	case exit.Signal != 0:
		return "it was ended by " + unix.SignalName(unix.Signal(exit.Signal))
	}
	return fmt.Sprintf("it ended with status %d", exit.Code)
}

// letGo: the hypervisor is let go of, and nobody is started any more.
func (w *workers) letGo() {
	w.client.Close()
	w.cancel()
	w.mu.Lock()
	ended := w.ended
	w.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// stop ends the worker.
func (w *workers) stop() {
	w.letGo()
	<-w.first
	w.mu.Lock()
	one := w.now
	w.now = nil
	w.mu.Unlock()
	if one != nil {
		one.end()
	}
}

// keepBelow has a log brought below its size by the worker, as it has to be read for that. While there is none a log
// may grow to four times its size; then all of it goes, unread.
func (w *workers) keepBelow(path string, max int64) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() <= max {
		return err
	}
	err = w.trim(path, max)
	if err == nil || info.Size() <= 4*max {
		return nil
	}
	return cutUnread(path, info.Size())
}

var errNoWorker = errors.New("there is no worker")

// trim asks the worker that there is.
func (w *workers) trim(path string, max int64) error {
	if w == nil {
		return errNoWorker
	}
	w.mu.Lock()
	one := w.now
	w.mu.Unlock()
	if one == nil {
		return errNoWorker
	}
	f, end, err := console.OpenToTrim(path)
	if err != nil {
		return err
	}
	defer f.Close()
	defer end.Close()
	ctx, cancel := context.WithTimeout(context.Background(), quitWait)
	defer cancel()
	return one.link.Trim(ctx, f, end, max)
}

// connFile is a connection as a file of its own.
func connFile(conn net.Conn) (*os.File, error) {
	switch c := conn.(type) {
	case *net.TCPConn:
		return c.File()
	case *net.UnixConn:
		return c.File()
	}
	return nil, errors.ErrUnsupported
}
