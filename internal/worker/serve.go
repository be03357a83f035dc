//go:build linux || freebsd

package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/console"
	"skep/internal/hypervisor"
	"skep/internal/qmp"
	"skep/internal/slim"
)

// Argument is the only argument of a process that is a worker. It is no verb.
const Argument = "(worker)"

// keeperFD is a worker's socket to its keeper.
const keeperFD = 3

// Bounds on what a worker does at once, and on the events that it sends: so many at a time, then one for
// each pause. A keeper ends a worker that sends more than it could have from a guest.
const (
	mostAtOnce = 32
	eventBurst = 32
	eventPause = 10 * time.Millisecond
)

// worker is the process.
type worker struct {
	conn      *conn
	send      sync.Mutex
	qmp       *qmp.Client // nil until connected is closed
	connected chan struct{}

	console *console.Server // nil until it has one
	relays  chan struct{}   // has as much room as there may be viewers

	words struct {
		sync.Mutex
		raw    syscall.RawConn
		file   *os.File // where the hypervisor writes to its log itself; read up to at
		at     int64
		log    *os.File
		max    int64
		buf    []byte
		stderr hypervisor.Stderr
	}
}

// ServeIfAsked turns the process into a worker where it was started as one, and then does not return. It
// must be called before anything else is done.
func ServeIfAsked() {
	if len(os.Args) < 2 || os.Args[1] != Argument {
		return
	}
	runtime.GOMAXPROCS(1)
	debug.SetTraceback("single")
	err := confine(os.Args[2:])
	if err == nil {
		err = serve(os.NewFile(keeperFD, "keeper"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve does what the keeper asks until that hangs up. Before the first request nothing hostile is read, and
// the keeper makes that once the jail is complete.
func serve(keeper *os.File) (err error) {
	w := &worker{connected: make(chan struct{}), relays: make(chan struct{}, mostRelays)}
	if w.conn, err = newConn(keeper); err != nil {
		return err
	}
	if err := w.say(Message{Kind: Ready, Texts: [4]string{identity()}}); err != nil {
		return err
	}
	busy := make(chan struct{}, mostAtOnce)
	for first, connected := true, false; ; first = false {
		m, files, err := w.conn.receive(most)
		if err != nil || m.Kind != Request || len(files) != acts[m.Act].files || m.Act == Connect && connected {
			if errors.Is(err, io.EOF) {
				err = nil // its keeper has let go of it
			}
			return err
		}
		if first {
			// Once the hypervisor is greeted and all is quiet.
			time.AfterFunc(time.Second, w.lessen)
		}
		connected = connected || m.Act == Connect
		if m.Act == Listen || m.Act == Follow || m.Act == ServeConsole {
			w.handle(m, files) // before whatever comes next
			continue
		}
		busy <- struct{}{}
		go func() {
			defer func() { <-busy }()
			w.handle(m, files)
		}()
	}
}

func (w *worker) handle(m Message, files []*os.File) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(m.Millis)*time.Millisecond)
	defer cancel()
	var out Message
	err := error(qmp.ErrClosed)
	if m.Act <= ForgetWords || w.isConnected() {
		out, err = acts[m.Act].do(w, call{ctx, m, files})
	}
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
	w.answer(m, out, err)
}

func (w *worker) isConnected() bool {
	select {
	case <-w.connected:
		return true
	default:
		return false
	}
}

// answer says what came of a request.
func (w *worker) answer(to, out Message, err error) {
	out.Kind, out.Act, out.ID = Answer, to.Act, to.ID
	var refused *qmp.CommandError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		out = Message{Kind: Answer, Act: to.Act, ID: to.ID, Fault: Refused,
			Texts: [4]string{cut(refused.Command, 64), cut(refused.Class, hypervisor.MaxText), cut(refused.Desc, hypervisor.MaxText)}}
	default:
		out = Message{Kind: Answer, Act: to.Act, ID: to.ID, Fault: Failed, Texts: [4]string{cut(err.Error(), 2*hypervisor.MaxText)}}
		switch {
		case errors.Is(err, qmp.ErrClosed):
			out.Fault = Closed
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
			out.Fault = Late
		}
	}
	_ = w.say(out)
}

func (w *worker) say(m Message) error {
	w.send.Lock()
	defer w.send.Unlock()
	return w.conn.send(m)
}

// follow sends what the hypervisor does. What it says on standard error before that is taken in first.
func (w *worker) follow(events <-chan hypervisor.Event) {
	tokens, last := eventBurst, time.Now()
	for e := range events {
		now := time.Now()
		tokens = min(eventBurst, tokens+int(now.Sub(last)/eventPause))
		last = now
		if tokens == 0 {
			time.Sleep(eventPause)
			tokens, last = 1, time.Now()
		}
		tokens--
		w.catchUp()
		if w.say(eventMessage(Event, e)) != nil {
			return
		}
	}
	_ = w.say(Message{Kind: Gone})
}

// listen takes over the hypervisor's standard error, and the log that it goes to: Nums[0] is how large that
// becomes.
func (w *worker) listen(r call) (out Message, err error) {
	raw, err := r.files[0].SyscallConn()
	if err != nil {
		return out, err
	}
	pipe := r.files[0]
	r.files[0] = nil // kept
	w.words.Lock()
	w.words.raw, w.words.max, w.words.buf = raw, int64(min(r.Nums[0], 1<<40)), make([]byte, 4096)
	w.words.log, r.files[1] = r.files[1], nil
	w.words.Unlock()
	go func() {
		defer pipe.Close()
		_ = raw.Read(func(fd uintptr) bool { return w.drain(int(fd), 1<<62) })
	}()
	return out, nil
}

// catchUp takes in what was written until now, so that what is said on standard error before an event of
// QMP's is known when the event is judged.
func (w *worker) catchUp() {
	w.words.Lock()
	raw := w.words.raw
	if f := w.words.file; f != nil {
		// A log that was cut is read from its start.
		if info, err := f.Stat(); err == nil && info.Size() < w.words.at {
			w.words.at = 0
		}
		n, _ := io.Copy(&w.words.stderr, io.NewSectionReader(f, w.words.at, 1<<20))
		w.words.at += n
	}
	w.words.Unlock()
	if raw != nil {
		_ = raw.Control(func(fd uintptr) { w.drain(int(fd), 1<<20) })
	}
}

// followLog: the hypervisor writes to its log itself, which is read from Nums[0] on when it is asked for.
func (w *worker) followLog(r call) (out Message, err error) {
	w.words.Lock()
	defer w.words.Unlock()
	w.words.file, r.files[0] = r.files[0], nil // kept
	w.words.at = int64(min(r.Nums[0], 1<<40))
	return out, nil
}

// drain reads what is there, up to a bound, and says whether that was the end.
func (w *worker) drain(fd, most int) (ended bool) {
	w.words.Lock()
	defer w.words.Unlock()
	for most > 0 {
		n, err := unix.Read(fd, w.words.buf)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return false
		case err != nil || n == 0:
			return true
		default:
			most -= n
			_, _ = w.words.stderr.Write(w.words.buf[:n])
			w.keep(w.words.buf[:n])
		}
	}
	return false
}

// keep keeps what is said. A full disk does not end the reading, and a hypervisor that floods does
// not fill it: what comes faster than the log is cut is lost.
func (w *worker) keep(p []byte) {
	if info, err := w.words.log.Stat(); err != nil || info.Size() < w.words.max {
		_, _ = w.words.log.Write(p)
	}
}

// lastWords answers with what was said on standard error.
func (w *worker) lastWords(call) (out Message, err error) {
	w.catchUp()
	out.Nums[0] = number(w.words.stderr.TripleFault())
	out.Texts[0] = hypervisor.LastOf(w.words.stderr.LastWords(), mostWords)
	return out, nil
}

// forgetWords: the guest was reset and runs anew.
func (w *worker) forgetWords(call) (out Message, err error) {
	w.catchUp()
	w.words.stderr.Clear()
	return out, nil
}

// lessen gives back what the process has no use for any more.
func (w *worker) lessen() {
	debug.SetGCPercent(20)
	slim.Within()
}
