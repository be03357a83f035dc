package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/console"
	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/probe"
	"skep/internal/store"
	"skep/internal/unixsock"
)

// replay is how much of the log a console begins with.
const replay = 4096

func (a *app) console() *cobra.Command {
	var wait time.Duration
	var raw bool
	cmd := &cobra.Command{
		Use:   "console NAME",
		Short: "Join the serial console of a running cell",
		Long: `Join the serial console of a running cell, beginning with the last lines of its
log, which a terminal is shown with escapes in place of what it would obey;
--raw sends them as they are. ~. at the start of a line leaves it and leaves the
guest alone; ~~ types a tilde, and ~? lists these. One console can be joined by
one person at a time. In the end the terminal is as it was.

What is piped in is typed into it. At the end of that the console is left after
a pause, in which the guest can answer: a second, or what --wait says.`,
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if wait < 0 {
				return usage("--wait must not be negative, got %s", wait)
			}
			return a.join(cmd.Context(), args[0], joinOptions{max(wait, 1), raw}) // 0 is for ever to a session
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "begin with the log as the guest wrote it")
	cmd.Flags().DurationVar(&wait, "wait", time.Second, "how long to stay after the end of what is piped in")
	return cmd
}

// consoleHelp is what ~? lists in a console that was joined.
const consoleHelp = `~.  leave the console; the guest goes on
~~  type a tilde
~?  this list
`

// joinOptions are the flags of console.
type joinOptions struct {
	wait time.Duration
	raw  bool
}

func (a *app) join(ctx context.Context, arg string, o joinOptions) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	name, err := a.nameOf(dirs, arg)
	if err != nil {
		return err
	}
	if cl, err := reached(dirs, name); err != nil || cl != nil {
		if err != nil {
			return err
		}
		return a.joinOther(ctx, cl, dirs, name, o)
	}
	if err := a.mustKnow(dirs, name); err != nil {
		return err
	}
	a.adoptFirst(ctx, dirs, name)
	st := store.View(dirs)
	lost := fault.Cannot(fault.Host, "skep up "+name+" starts it; skep log "+name+" shows what it said", "join the console of", name, "it is not running")
	lock, err := st.LockConsole(name)
	if errors.Is(err, fs.ErrNotExist) {
		return lost // nothing has run here yet
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	conn, err := unixsock.Dial(filepath.Join(st.RunDir(name), layout.Socket(layout.Console)))
	if err != nil {
		return lost
	}
	defer conn.Close()
	go a.sayPauses(ctx, st, name)
	return a.joined(ctx, name, conn, o, func() ([]byte, error) {
		return console.Tail(filepath.Join(st.StateDir(name), layout.ConsoleLog), replay)
	})
}

// joined is a session at a console that is connected to; tail is the end of its log.
func (a *app) joined(ctx context.Context, name string, conn net.Conn, o joinOptions, tail func() ([]byte, error)) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	defer catchPipe()()
	before, live, err := begun(tail, name, conn)
	if err != nil {
		return err
	}
	tty := terminal(a.in)
	if tty != nil {
		defer a.rawTerminal()()
		a.note("joined the console of %s: ~. at the start of a line leaves it, ~? lists what else there is", name)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	gone := readerGone(ctx, a.out)
	go func() {
		select {
		case <-gone:
			cancel(syscall.EPIPE)
		case <-ctx.Done():
		}
	}()
	err = console.Session{Conn: after{io.MultiReader(bytes.NewReader(live), conn), conn}, In: a.in, Out: a.out,
		Terminal: tty, Help: consoleHelp, Wait: o.wait, Screen: terminal(a.out), Before: before, Raw: o.raw}.Run(ctx)
	a.raw.Store(false)
	switch {
	case errors.Is(err, syscall.EPIPE), errors.Is(context.Cause(ctx), syscall.EPIPE):
		return nil // nobody is there to read a word
	case errors.Is(err, console.ErrInputEnded):
		return nil
	case errors.Is(err, console.ErrLeft), errors.Is(err, context.Canceled):
		a.note("left the console of %s; the guest goes on", name)
		return nil
	case err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNRESET):
		return fault.Wrap(fault.Host, err, "", "read the console of %s", name)
	}
	a.note("the console of %s has ended", name)
	return nil
}

// sayPauses says where a disk fails the guest and has it wait, and when that is
// over: the console alone would fall silent.
func (a *app) sayPauses(ctx context.Context, st *store.Store, name string) {
	const look = 500 * time.Millisecond
	for said := ""; ; {
		s, _, err := st.ReadState(name)
		switch {
		case err == nil && s.State == store.Paused && s.Reason != said:
			said = s.Reason
			a.note("%s: the guest is paused: %s; it goes on by itself once that is over", name, said)
		case err == nil && s.State == store.Running && said != "":
			said = ""
			a.note("%s: the guest goes on", name)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
	}
}

// begun is the end of the log, and what came meanwhile. The console was
// connected to before the log is read, so nothing is missed; what came both ways
// is in the first.
func begun(log func() ([]byte, error), name string, conn net.Conn) (before, live []byte, err error) {
	first := make([]byte, 64<<10)
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	n, err := conn.Read(first)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, io.EOF) {
		return nil, nil, fault.Wrap(fault.Host, err, "", "read the console of %s", name)
	}
	_ = conn.SetReadDeadline(time.Time{})
	first = first[:n]
	tail, err := log()
	if err != nil {
		tail = nil // a console without its log is still a console
	}
	return tail, first[console.Overlap(tail, first):], nil
}

// after is a connection of which a part was read already.
type after struct {
	io.Reader
	io.Writer
}
