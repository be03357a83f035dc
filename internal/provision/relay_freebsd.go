package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/input"
	"skep/internal/jail/freebsdjail"
	"skep/internal/plan"
	"skep/internal/screen"
	"skep/internal/unixsock"
)

// listener is a UNIX socket of the plan; closing it twice is no error.
type listener struct{ *net.UnixListener }

// relay carries connections to where bhyve listens, in a network of its own.
type relay struct {
	listener net.Listener
	wait     sync.WaitGroup
	stop     context.CancelFunc
}

func (t *bsdProvisioner) acquireRelay(s *plan.Relay) error {
	var l net.Listener
	var err error
	if s.Path != "" {
		l, err = unixsock.Listen(s.Path)
	} else {
		l, err = net.Listen("tcp", s.Listen)
	}
	if err != nil {
		return listenFault(err, s.Name, s.Listen+s.Path)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &relay{listener: l, stop: cancel}
	t.relays = append(t.relays, r)
	r.wait.Add(1)
	go r.serve(ctx, t, s)
	if s.Name == "screen" {
		t.show(s.Listen + s.Path)
	}
	return nil
}

// portsFree says so where bhyve itself is to listen on an address of the
// host's and could not: it would only exit with 4, which says nothing. Between
// here and there somebody else may still take the port.
func (t *bsdProvisioner) portsFree() error {
	for _, s := range plan.Specs[*plan.Screen](t.plan) {
		if err := canListen("screen", s.Listen); err != nil {
			return err
		}
	}
	return nil
}

func listenFault(err error, name, where string) error {
	var oe *net.OpError
	if errors.As(err, &oe) {
		err = oe.Err
	}
	hint := "choose another port, or leave listen out for a UNIX socket"
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		hint = "ifconfig shows the addresses that this host has"
	}
	return fault.Wrap(fault.Input, err, hint, "have the %s listen on %s", name, where)
}

// relayAsking is how many viewers at a time are on their way in; others wait in the socket's queue.
const relayAsking = 8

func (r *relay) serve(ctx context.Context, t *bsdProvisioner, s *plan.Relay) {
	defer r.wait.Done()
	asking := make(chan struct{}, relayAsking)
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(100 * time.Millisecond) // out of descriptors, most likely
			continue
		}
		select {
		case asking <- struct{}{}:
		case <-ctx.Done():
			conn.Close()
			return
		}
		r.wait.Add(1)
		go func() {
			defer r.wait.Done()
			inner, err := t.dial(ctx, s)
			<-asking
			if err == nil {
				if s.Name == "screen" {
					t.env.Viewer(conn.RemoteAddr().String())
				}
				_ = t.relay(ctx, conn, inner) // nobody is there to tell: the viewer sees that nobody takes him
				inner.Close()
			}
			conn.Close() // the worker has both
		}()
	}
}

// relay has the worker carry bytes between two connections.
func (t *bsdProvisioner) relay(ctx context.Context, conn, inner net.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, quitWait)
	defer cancel()
	return t.connected(conn, func(a *os.File) error {
		return t.connected(inner, func(b *os.File) error { return t.workers.client.Relay(ctx, a, b) })
	})
}

// connected calls do with a connection as a worker is handed it.
func (t *bsdProvisioner) connected(conn net.Conn, do func(*os.File) error) error {
	f, err := connFile(conn)
	if err != nil {
		return err
	}
	defer f.Close()
	return handed(func(all []*os.File) error { return do(all[0]) }, with{f, rightsStream})
}

func (r *relay) close() {
	r.listener.Close()
	r.stop()
	r.wait.Wait()
}

// dial connects to where bhyve listens: with a socket that was made in the
// jail's network, connected by us. Who still waits when ctx ends is not let in: making that socket takes
// a process in the jail, and the end of the relay waits for all of them.
func (t *bsdProvisioner) dial(ctx context.Context, s *plan.Relay) (net.Conn, error) {
	if path, ok := strings.CutPrefix(s.Inside, "unix:"); ok {
		return unixsock.Dial(path)
	}
	to, err := netip.ParseAddrPort(s.Inside)
	if err != nil {
		return nil, err
	}
	fd, err := t.visitor(ctx)
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connect to %s in the jail: %w", s.Inside, err)
	}
	f := os.NewFile(uintptr(fd), s.Inside)
	defer f.Close()
	return net.FileConn(f)
}

// visitor makes a socket in the jail's network, one at a time: the jail's limits have room for one
// visitor, see plan.
func (t *bsdProvisioner) visitor(ctx context.Context) (int, error) {
	t.visit.Lock()
	defer t.visit.Unlock()
	if err := ctx.Err(); err != nil {
		return -1, err
	}
	return freebsdjail.Socket(t.jid)
}

// pictureRoom is enough for a PNG of 16 million pixels.
const pictureRoom = 128 << 20

// screenshot has the worker take one picture over RFB.
func (t *bsdProvisioner) screenshot(ctx context.Context) (Picture, error) {
	const what = "take a screenshot"
	ctx, cancel := context.WithTimeout(ctx, shotWait)
	defer cancel()
	conn, password, err := t.viewer(ctx, what)
	if err != nil {
		return Picture{}, err
	}
	defer conn.Close()
	png, err := freebsdjail.Memory("screenshot", pictureRoom)
	if err != nil {
		return Picture{}, fault.Wrap(fault.Host, err, "", "%s", what)
	}
	var size int64
	err = t.connected(conn, func(c *os.File) error {
		return handed(func(all []*os.File) (err error) {
			size, err = t.workers.client.Capture(ctx, c, all[0], password)
			return err
		}, with{png, rightsAppend})
	})
	if err == nil && size > pictureRoom {
		err = errors.New("the worker says that it has drawn more than there is room for")
	}
	if err == nil {
		err = png.Truncate(size)
	}
	if err == nil {
		_, err = png.Seek(0, io.SeekStart)
	}
	if err != nil {
		png.Close()
		return Picture{}, fault.Wrap(fault.Host, err, oneViewer, "%s", what)
	}
	return Picture{File: png}, nil
}

// shotWait bounds a screenshot.
const shotWait = 15 * time.Second

const oneViewer = "bhyve serves one viewer at a time: is another one connected?"

// viewer is a connection to the screen, and its password.
func (t *bsdProvisioner) viewer(ctx context.Context, what string) (conn net.Conn, password string, err error) {
	found := false
	for _, s := range plan.Specs[*plan.Relay](t.plan) {
		if s.Name == "screen" {
			found = true
			conn, err = t.dial(ctx, s)
		}
	}
	for _, s := range plan.Specs[*plan.Screen](t.plan) {
		found = true
		conn, err = net.DialTimeout("tcp", s.Listen, 5*time.Second)
	}
	if !found {
		return nil, "", fault.New(fault.Input, "add screen {} to the cell file", "%s: the guest has no screen", what)
	}
	if err != nil {
		return nil, "", fault.Wrap(fault.Host, err, "", "%s", what)
	}
	if password, err = t.password(); err != nil {
		conn.Close()
		return nil, "", err
	}
	return conn, password, nil
}

// buttons are those of RFC 6143.
var buttons = map[string]uint8{"left": 1, "middle": 2, "right": 4}

// input has a viewer's hands do it: bhyve's keyboard and tablet belong to its screen.
func (t *bsdProvisioner) input(ctx context.Context, steps []input.Step) error {
	ctx, cancel := context.WithTimeout(ctx, inputWait)
	defer cancel()
	conn, password, err := t.viewer(ctx, "use keyboard and pointer")
	if err != nil {
		return err
	}
	defer conn.Close()
	var hands []screen.Hand
	for _, s := range steps {
		h := screen.Hand{Keysym: input.Keysym(s.Key), Down: s.Down, X: s.X, Y: s.Y}
		if s.Down {
			h.Buttons = buttons[s.Button]
		}
		if s.Rest {
			h.Rest = inputRest
		}
		hands = append(hands, h)
	}
	err = t.connected(conn, func(c *os.File) error { return t.workers.client.Hands(ctx, c, password, hands) })
	var out *screen.OutsideError
	if errors.As(err, &out) {
		return outside(out)
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, oneViewer, "use keyboard and pointer")
	}
	return nil
}

// password reads the screen's, "" where the cell file names none.
func (t *bsdProvisioner) password() (string, error) {
	s := t.cell.Screen
	if s == nil || s.PasswordFile == "" {
		return "", nil
	}
	password, err := readPassword(s.PasswordFile)
	if err != nil {
		return "", plan.Located(t.cell, "screen.password_file", err)
	}
	return password, nil
}

// screenConfig is what bhyve reads with -k: it is in the rootfs until that is
// emptied, readable by root of the jail alone, and on no disk.
func (t *bsdProvisioner) screenConfig() (string, error) {
	password, err := t.password()
	if err != nil {
		return "", err
	}
	return hypervisor.BhyveConfig(t.cell, password), nil
}
