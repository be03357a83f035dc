package sink

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"skep/internal/netlog"
)

// Bounds of a request and its answer.
const (
	mostHeader = 64 << 10
	mostBody   = 16 << 20
	mostAnswer = 64 << 20
)

// page is what is answered where the cell file names nothing.
const page = "<!DOCTYPE html>\n<html><head><title></title></head><body></body></html>\n"

// web answers HTTP, on whatever connection it came.
type web struct {
	s      *sink
	conns  chan net.Conn
	server http.Server
}

type flowKey struct{}

func newWeb(s *sink) *web {
	w := &web{s: s, conns: make(chan net.Conn)}
	w.server = http.Server{
		Handler: w, ReadHeaderTimeout: idle, ReadTimeout: 2 * idle, WriteTimeout: 2 * idle, IdleTimeout: idle, MaxHeaderBytes: mostHeader,
		ErrorLog:    log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, flowKey{}, c) },
	}
	go func() { _ = w.server.Serve(w) }()
	return w
}

// served is a connection that its owner waits for.
type served struct {
	net.Conn
	f    *flow
	done chan struct{}
}

func (c *served) Close() error {
	select {
	case <-c.done:
	default:
		close(c.done)
	}
	return c.Conn.Close()
}

// serveOn serves what is spoken on c, of a connection, and returns when that is over.
func (w *web) serveOn(c net.Conn, f *flow) {
	s := &served{Conn: c, f: f, done: make(chan struct{})}
	w.conns <- s
	<-s.done
}

// Accept, Close and Addr are net.Listener's.
func (w *web) Accept() (net.Conn, error) { return <-w.conns, nil }
func (*web) Close() error                { return nil }
func (*web) Addr() net.Addr              { return &net.TCPAddr{} }

// ServeHTTP writes a request down and answers it.
func (w *web) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(flowKey{}).(*served)
	if !ok {
		return
	}
	line := w.s.line(c.f, netlog.HTTP)
	line.Method, line.Host, line.Path, line.Agent = r.Method, r.Host, r.URL.RequestURI(), r.UserAgent()
	if c.f.secured {
		line.Type = "https"
	}
	first := make([]byte, 1024)
	n, _ := io.ReadFull(r.Body, first)
	rest, err := io.Copy(io.Discard, io.LimitReader(r.Body, mostBody-int64(n)))
	line.First, line.Bytes = netlog.First(first[:n]), int64(n)+rest
	if err != nil {
		line.Why = "its body did not end"
	}
	answer := w.s.answers["http"]
	if c.f.secured && w.s.answers["https"] != nil {
		answer = w.s.answers["https"]
	}
	w.s.log.Write(line)
	if rest >= mostBody-int64(n) {
		out.Header().Set("Connection", "close")
	}
	w.reply(out, r, answer)
}

func (w *web) reply(out http.ResponseWriter, r *http.Request, answer *os.File) {
	if r.Method == http.MethodConnect {
		out.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if answer == nil {
		out.Header().Set("Content-Type", "text/html; charset=utf-8")
		out.Header().Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = io.WriteString(out, page)
		return
	}
	info, err := answer.Stat()
	if err != nil || info.Size() > mostAnswer {
		http.Error(out, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	// What it is its first bytes say: the host's tables of kinds are not here.
	first := make([]byte, 512)
	n, _ := answer.ReadAt(first, 0)
	out.Header().Set("Content-Type", http.DetectContentType(first[:n]))
	http.ServeContent(out, r, "", time.Time{}, io.NewSectionReader(answer, 0, info.Size()))
}

var _ net.Listener = (*web)(nil)

// errTooLong is a line that does not end.
var errTooLong = errors.New("a line that is too long")
