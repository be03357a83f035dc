package cli

import (
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
	"skep/internal/host"
	"skep/internal/store"
	"skep/internal/unixsock"
)

// replay is how much of the log a console begins with.
const replay = 4096

func (a *app) console() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "console NAME",
		Short: "Join the serial console of a running cell",
		Long: `Join the serial console of a running cell, beginning with the last lines of its
log. ~. at the start of a line leaves it and leaves the guest alone; ~~ types a
tilde. One console can be joined by one person at a time.`,
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.join(cmd.Context(), args[0])
		},
	}
	return cmd
}

func (a *app) join(ctx context.Context, arg string) error {
	dirs := host.DirsFor(host.Options{Dirs: a.dirs})
	name, err := a.nameOf(dirs, arg)
	if err != nil {
		return err
	}
	if err := a.mustKnow(dirs, name); err != nil {
		return err
	}
	a.adoptAll(ctx, dirs, name)
	st := store.View(dirs)
	lost := fault.New(fault.Host, "skep up "+name+" starts it; skep log "+name+" shows what it said", "join the console of %s: it is not running", name)
	lock, err := st.LockConsole(name)
	if errors.Is(err, fs.ErrNotExist) {
		return lost // nothing has run here yet
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	conn, err := unixsock.Dial(filepath.Join(st.RunDir(name), "console.sock"))
	if err != nil {
		return lost
	}
	defer conn.Close()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	live, err := a.showLog(st, name, conn)
	if err != nil {
		return err
	}
	_ = live
	err = console.Session{Conn: conn, In: a.in, Out: a.out, Terminal: terminal(a.in)}.Run(ctx)
	switch {
	case errors.Is(err, console.ErrLeft), errors.Is(err, context.Canceled):
		a.note("left the console of %s; the guest goes on", name)
		return nil
	case err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNRESET):
		return fault.Wrap(fault.Host, err, "", "read the console of %s", name)
	}
	a.note("the console of %s has ended", name)
	return nil
}

// showLog begins with the end of the log. The console was connected to before
// the log is read, so nothing is missed; what came both ways is shown once.
func (a *app) showLog(st *store.Store, name string, conn net.Conn) ([]byte, error) {
	first := make([]byte, 64<<10)
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	n, err := conn.Read(first)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, io.EOF) {
		return nil, fault.Wrap(fault.Host, err, "", "read the console of %s", name)
	}
	_ = conn.SetReadDeadline(time.Time{})
	first = first[:n]
	tail, err := console.Tail(filepath.Join(st.StateDir(name), "console.log"), replay)
	if err != nil {
		tail = nil // a console without its log is still a console
	}
	if _, err := a.out.Write(tail); err != nil {
		return nil, err
	}
	_, err = a.out.Write(first[console.Overlap(tail, first):])
	return first, err
}

func (a *app) log() *cobra.Command {
	var follow, hypervisor bool
	cmd := &cobra.Command{
		Use:   "log NAME",
		Short: "Print what a guest said on its serial console",
		Long: `Print what a guest said on its serial console, as far as the log's size holds it.
The log stays when the cell is gone. --hypervisor prints what the hypervisor
said of itself.`,
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := host.DirsFor(host.Options{Dirs: a.dirs})
			name, err := a.nameOf(dirs, args[0])
			if err != nil {
				return err
			}
			if err := a.mustKnow(dirs, name); err != nil {
				return err
			}
			file := "console.log"
			if hypervisor {
				file = "hypervisor.log"
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return a.printLog(ctx, store.View(dirs), name, file, follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the cell ends")
	cmd.Flags().BoolVar(&hypervisor, "hypervisor", false, "the hypervisor's own words")
	return cmd
}

func (a *app) printLog(ctx context.Context, st *store.Store, name, file string, follow bool) error {
	path := filepath.Join(st.StateDir(name), file)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return fault.New(fault.Host, "it has not run yet", "read the log of %s: there is none", name)
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "read the log of %s", name)
	}
	defer f.Close()
	for {
		live := st.Held(name)
		if _, err := io.Copy(a.out, f); err != nil {
			return err
		}
		if !follow || !live {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
		// A log that was cut begins anew.
		if at, err := f.Seek(0, io.SeekCurrent); err == nil {
			if info, err := f.Stat(); err == nil && info.Size() < at {
				_, _ = f.Seek(0, io.SeekStart)
			}
		}
	}
}
