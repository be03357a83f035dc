package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"skep/internal/background"
	"skep/internal/cell"
	"skep/internal/console"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/layout"
	"skep/internal/probe"
	"skep/internal/store"
	"skep/internal/unixsock"
)

// taken is a cell of a pool that is somebody's now.
type taken struct {
	name string
	conn net.Conn
	lock *store.Lock
}

// take has one of the cells that are ready go on, or one that is made ready now.
func (a *app) take(ctx context.Context, dirs host.Dirs, arg string, p cell.Pool) (taken, error) {
	st := store.View(dirs)
	for try := 0; ; try++ {
		ready, _ := inPool(st, p.Label)
		for _, name := range ready {
			t, err := a.takeOne(ctx, st, name, p)
			if err == nil {
				return t, nil
			}
		}
		if try > 0 {
			return taken{}, fault.Wrap(fault.Busy, errNoneReady, "skep pool up "+arg+" fills it", "take a cell of the pool %s", p.Label)
		}
		if err := a.fillPool(ctx, arg); err != nil {
			return taken{}, err
		}
	}
}

// takeOne takes one. Whoever has its console has it: two cannot.
func (a *app) takeOne(ctx context.Context, st *store.Store, name string, p cell.Pool) (t taken, err error) {
	t.name = name
	if t.lock, err = st.LockConsole(name); err != nil {
		return t, err
	}
	defer func() {
		if err != nil {
			t.lock.Unlock()
			if t.conn != nil {
				t.conn.Close()
			}
		}
	}()
	s, _, err := st.ReadState(name)
	if err == nil && poolIn(string(s.State), s.Suspended) != p.Label {
		err = errNoneReady
	}
	if err != nil {
		return t, err
	}
	conn, err := unixsock.Dial(filepath.Join(st.RunDir(name), layout.Socket(layout.Console)))
	if err != nil {
		return t, err // and t.conn stays nil: a nil *net.UnixConn in it would not be
	}
	t.conn = conn
	cl, err := keeper.Dial(st.RunDir(name))
	if err != nil {
		return t, err
	}
	defer cl.Close()
	_, err = cl.Ask(ctx, "resume", "skep run --pool")
	return t, err
}

// runFromPool takes a cell of a pool and has its console on the terminal, as run does.
func (a *app) runFromPool(ctx context.Context, arg string, quiet bool) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	p, err := a.findPool(dirs, arg)
	if err != nil {
		return err
	}
	if err := store.Private(dirs); err != nil {
		return err
	}
	t, err := a.take(ctx, dirs, arg, p)
	if err != nil {
		return err
	}
	defer t.lock.Unlock()
	defer t.conn.Close()
	if err := a.fillBehind(dirs, arg); err != nil {
		a.note("%s", err)
	}
	st := store.View(dirs)
	ask := func(do string) func(who string) {
		return func(who string) {
			go func() {
				if cl, err := keeper.Dial(st.RunDir(t.name)); err == nil {
					_, _ = cl.Ask(context.Background(), do, who)
					_, _ = cl.Ended(context.Background())
					cl.Close()
				}
			}()
		}
	}
	stop, kill := ask("stop"), ask("kill")
	defer background.Signals(stop, kill)()
	tty := terminal(a.in)
	if !quiet {
		a.note("%s of the pool %s", t.name, p.Label)
	}
	if tty != nil {
		defer a.rawTerminal()()
	}
	err = console.Session{Conn: t.conn, In: a.in, Out: a.out, Terminal: tty, Help: consoleHelp, Screen: terminal(a.out),
		Leave: func() { stop("~. on the terminal") }}.Run(ctx)
	a.raw.Store(false)
	if err != nil && ctx.Err() == nil && !ended(err) {
		stop("its output, which takes no more: " + err.Error())
		_, _ = io.Copy(io.Discard, t.conn)
	}
	return a.verdictOf(st, t.name, quiet)
}

// ended says whether a console ended because its guest did.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "connection reset")
}

// releaseWait bounds how long a cell may take to let go of everything once its console has ended.
const releaseWait = 2 * time.Minute

// verdictOf waits until a cell is released, and says how it ended.
func (a *app) verdictOf(st *store.Store, name string, quiet bool) error {
	for end := time.Now().Add(releaseWait); st.Held(name) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	s, held, err := st.ReadState(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil // forgotten already
	case err != nil:
		return err
	case held:
		return fault.New(fault.Host, "skep ps shows what it does", "see how %s ended: it still runs", name)
	}
	return a.verdict(&cell.Cell{Name: name}, keeper.Outcome{State: s.State, Code: fault.Code(s.ExitCode), Reason: s.Reason}, quiet)
}
