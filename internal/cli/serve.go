package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"skep/internal/access"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/metrics"
	"skep/internal/page"
	"skep/internal/probe"
	"skep/internal/serve"
	"skep/internal/store"
	"skep/internal/unixsock"
	"skep/internal/version"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	socket, listen, bearer string
	cert, key, clients     string
	look                   bool
	as                     []string
}

func (a *app) serve() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Show the cells of this host on a page, and as JSON",
		Long: `Show the cells of this host on a page, and as JSON to programs. What speaks HTTP
is in a jail of its own without any right.

Without --listen it serves a UNIX socket that only its user may connect to:
curl --unix-socket, or ssh -L 8080:/run/skep/serve.sock. --listen 127.0.0.1:0
serves an address of this host's own too and prints a link, which signs one
browser in; --read-only prints a second link, for somebody who may only look, and
--as one for a user of this host, who may what access blocks of cell files say.
Another address takes a certificate, and everybody one of theirs that
--client-ca has signed; its name is a user of this host.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.servePage(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.socket, "socket", "", "the UNIX socket (default serve.sock in the run directory)")
	f.StringVar(&o.listen, "listen", "", "an address too: 127.0.0.1:0")
	f.BoolVar(&o.look, "read-only", false, "print a second link, for somebody who may only look")
	f.StringArrayVar(&o.as, "as", nil, "print a link for that `user` too, who may what access blocks say; repeatable")
	f.StringVar(&o.cert, "tls-cert", "", "the certificate of --listen, PEM")
	f.StringVar(&o.key, "tls-key", "", "its key")
	f.StringVar(&o.clients, "client-ca", "", "certificates that sign those of people")
	f.StringVar(&o.bearer, "metrics-token", "", "a file with what Prometheus shows to read /metrics")
	return cmd
}

func (a *app) servePage(ctx context.Context, o serveOptions) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	if _, err := store.Open(dirs); err != nil {
		return err
	}
	facts, err := probe.ForTools(probe.Options{Dirs: a.dirs})
	if err != nil {
		return err
	}
	exe, err := executable()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	name, _ := os.Hostname()
	h := &served{a: a, dirs: dirs, exe: exe}
	c := serve.Config{
		Facts: facts, Say: a.note, Host: h, May: mayHere(dirs), Rights: h.Rights,
		Owner: serve.Person{Name: access.Name(os.Geteuid()), UID: os.Geteuid()},
		Setup: page.Setup{Host: name, Version: version.String(), OS: runtime.GOOS},
	}
	h.counts = metrics.New(version.String())
	if err := o.secrets(&c); err != nil {
		return err
	}
	remove, err := o.listenOn(dirs, &c)
	if err != nil {
		return err
	}
	defer remove()
	go h.keepCount(ctx)
	s := serve.New(c)
	for _, l := range c.Listeners {
		if err := a.sayWay(s, l, o); err != nil {
			return err
		}
	}
	if err := s.Serve(ctx); err != nil {
		return fault.Wrap(fault.Host, err, "", "keep the page running")
	}
	return nil
}

// sayWay prints how to come in. A link is asked for, so it goes to standard output.
func (a *app) sayWay(s *serve.Server, l serve.Listener, o serveOptions) error {
	at := l.Addr().String()
	switch l.Way {
	case page.Local:
		a.printf("socket: %s\n", at)
	case page.TLS:
		a.printf("https://%s/\n", at)
	case page.Plain:
		a.printf("http://%s/login?token=%s\n", at, s.Link(serve.All))
		if o.look {
			a.printf("only to look: http://%s/login?token=%s\n", at, s.Link(serve.Look))
		}
		for _, name := range o.as {
			token, err := s.LinkFor(name)
			if err != nil {
				return err
			}
			a.printf("as %s: http://%s/login?token=%s\n", name, at, token)
		}
	}
	return nil
}

// secrets reads the files that flags name.
func (o serveOptions) secrets(c *serve.Config) error {
	for _, f := range []struct {
		flag, path string
		to         *[]byte
	}{{"tls-cert", o.cert, &c.Setup.Cert}, {"tls-key", o.key, &c.Setup.Key}, {"client-ca", o.clients, &c.Setup.Clients}} {
		if f.path == "" {
			continue
		}
		b, err := os.ReadFile(f.path)
		if err != nil {
			return fault.Wrap(fault.Input, err, "", "read --%s", f.flag)
		}
		*f.to = b
	}
	n := 0
	for _, path := range []string{o.cert, o.key, o.clients} {
		if path != "" {
			n++
		}
	}
	if n != 0 && n != 3 {
		return usage("--tls-cert, --tls-key and --client-ca go together")
	}
	if o.bearer == "" {
		return nil
	}
	b, err := os.ReadFile(o.bearer)
	if err != nil {
		return fault.Wrap(fault.Input, err, "", "read --metrics-token")
	}
	if c.Bearer = strings.TrimSpace(string(b)); len(c.Bearer) < 16 {
		return usage("the token in %s must have at least 16 characters", o.bearer)
	}
	return nil
}

// listenOn opens the ways in: those that systemd hands over, or a socket and what --listen says.
func (o serveOptions) listenOn(dirs host.Dirs, c *serve.Config) (remove func(), err error) {
	remove = func() {}
	secure := len(c.Setup.Cert) > 0
	handed, err := handedListeners()
	if err != nil {
		return remove, err
	}
	for _, l := range handed {
		way, err := wayOf(l.Addr(), secure)
		if err != nil {
			return remove, err
		}
		c.Listeners = append(c.Listeners, serve.Listener{Listener: l, Way: way})
	}
	if o.listen != "" {
		at, err := net.ResolveTCPAddr("tcp", o.listen)
		if err != nil {
			return remove, usage("--listen must be an address and a port, got %q", o.listen)
		}
		way, err := wayOf(at, secure)
		if err != nil {
			return remove, err
		}
		l, err := net.ListenTCP("tcp", at)
		if err != nil {
			return remove, fault.Wrap(fault.Input, err, "choose another port, or 0 for a free one", "listen on %s", o.listen)
		}
		c.Listeners = append(c.Listeners, serve.Listener{Listener: l, Way: way})
	}
	if len(handed) > 0 && o.socket == "" {
		return remove, nil
	}
	path := o.socket
	if path == "" {
		path = dirs.ServeSocket()
	}
	if path, err = filepath.Abs(path); err != nil {
		return remove, err
	}
	if conn, err := unixsock.Dial(path); err == nil {
		conn.Close()
		return remove, fault.Cannot(fault.Busy, "--socket names another one", "listen on", path, "another skep serve does")
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		_ = os.Remove(path) // of one that was killed
	}
	l, err := unixsock.Listen(path)
	if err != nil {
		return remove, fault.Wrap(fault.Host, err, "--socket names another one", "listen on %s", path)
	}
	c.Listeners = append(c.Listeners, serve.Listener{Listener: l, Way: page.Local})
	return func() { _ = os.Remove(path) }, nil
}

// wayOf is how an address is served: never without a certificate where others could listen.
func wayOf(at net.Addr, secure bool) (page.Way, error) {
	tcp, ok := at.(*net.TCPAddr)
	switch {
	case !ok:
		return page.Local, nil
	case secure:
		return page.TLS, nil
	case tcp.IP.IsLoopback():
		return page.Plain, nil
	}
	return "", fault.Fail(fault.Input, "add --tls-cert, --tls-key and --client-ca, or listen on 127.0.0.1",
		"an address that others can reach is served with TLS only, got %s", at)
}

// handedListeners are the sockets that systemd has opened: sd_listen_fds(3).
func handedListeners() (all []net.Listener, err error) {
	const first = 3
	pid, many := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name) // not for what is started from here
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(many)
	if err != nil || n < 0 || n > 16 {
		return nil, usage("LISTEN_FDS is no number of sockets: %q", many)
	}
	for fd := first; fd < first+n; fd++ {
		f := os.NewFile(uintptr(fd), fmt.Sprintf("LISTEN_FD_%d", fd))
		l, lerr := net.FileListener(f)
		f.Close()
		if lerr != nil {
			err = errors.Join(err, fault.Wrap(fault.Host, lerr, "", "use the socket that systemd has handed over"))
			continue
		}
		all = append(all, l)
	}
	return all, err
}

// dialTCP connects to a screen that listens on an address.
func dialTCP(at string) (*net.TCPConn, error) {
	conn, err := net.DialTimeout("tcp", at, answerWait)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}
