package provision

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/plan"
	"skep/internal/unixsock"
)

func hasScreen(p *plan.Plan) bool { return len(plan.Specs[*plan.Screen](p)) > 0 }

// screenServer accepts viewers outside of the jail and hands each one's
// connection to QEMU, which has no network of its own.
type screenServer struct {
	listener net.Listener
	wait     sync.WaitGroup
}

func (t *linuxProvisioner) acquireScreen(s *plan.Screen) error {
	var l net.Listener
	var err error
	if s.Path != "" {
		l, err = unixsock.Listen(s.Path)
		if err != nil {
			return fault.Wrap(fault.Host, err, "", "listen on %s", s.Path)
		}
	} else if l, err = listenTCP(showScreen, screenHint, s.Listen); err != nil {
		return err
	}
	srv := &screenServer{listener: l}
	t.screens = append(t.screens, srv)
	srv.wait.Add(1)
	go func() {
		defer srv.wait.Done()
		srv.accept(t.qemu, t.env.Viewer)
	}()
	t.env.Screen(cmp.Or(s.Path, s.Listen))
	return nil
}

// What listens on addresses of the cell file's, for messages.
const (
	showScreen = "show the screen"
	screenHint = "choose another port, or leave listen out for a UNIX socket"
	haveDebug  = "have the debug stub listen"
	debugHint  = "choose another port"
)

// listenTCP listens on an address of the cell file's.
func listenTCP(what, hint, address string) (*net.TCPListener, error) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l.(*net.TCPListener), nil
	}
	var oe *net.OpError
	if errors.As(err, &oe) {
		err = oe.Err
	}
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		hint = "ip address shows the addresses that this host has"
	}
	return nil, fault.Wrap(fault.Input, err, hint, "%s on %s", what, address)
}

func (s *screenServer) accept(m *qemuMachine, viewer func(from string)) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(100 * time.Millisecond) // out of descriptors, most likely
			continue
		}
		from := conn.RemoteAddr().String()
		f, err := connFile(conn)
		conn.Close()
		if err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), quitWait)
		viewer(from)
		_ = m.qmp.AddVNC(ctx, f) // a viewer that QEMU refuses sees its connection close
		cancel()
		f.Close()
	}
}

func (s *screenServer) close() {
	s.listener.Close()
	s.wait.Wait()
}

// screenPassword gives QEMU the password over QMP: it is never on a command
// line, in an environment or in a log.
func (t *linuxProvisioner) screenPassword(ctx context.Context, m *qemuMachine) error {
	for _, s := range plan.Specs[*plan.Screen](t.plan) {
		if s.PasswordFile == "" {
			continue
		}
		password, err := readPassword(s.PasswordFile)
		if err != nil {
			return plan.Located(t.cell, "screen.password_file", err)
		}
		if err := m.qmp.SetVNCPassword(ctx, password); err != nil {
			return err
		}
	}
	return nil
}

// socketPair is two connected sockets: one to speak on, one to hand in.
func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "viewer"), os.NewFile(uintptr(fds[1]), "viewer"), nil
}
