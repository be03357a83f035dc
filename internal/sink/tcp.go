package sink

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"skep/internal/guestnet"
	"skep/internal/netlog"
)

// Ports whose protocol is known before a byte has come.
const (
	portDNS   = 53
	portMails = 465
)

var mailPorts = []uint16{25, 587, 2525}

func port(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }

// connection takes one connection of the guest's.
func (s *sink) connection(r *guestnet.Request) {
	src, dst := r.Src(), r.Dst()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		r.Refuse()
		s.log.Write(netlog.Line{Kind: netlog.Refused, Src: src.String(), Dst: dst.String(), Name: s.names.at(dst.Addr()), Why: "too many connections"})
		return
	}
	c, err := r.Accept()
	if err != nil {
		return // the guest has not gone on with it
	}
	defer c.Close()
	s.talk(&flow{peeking: peeking{Conn: c}, src: src, dst: dst, name: s.names.at(dst.Addr())})
}

// A flow is a connection that was accepted, with what is known of it.
type flow struct {
	peeking
	src, dst netip.AddrPort
	name     string
	sni      string
	secured  bool // it is TLS
}

// peeking is a connection whose first bytes can be looked at.
type peeking struct {
	net.Conn
	peeked []byte
}

// Read has again what was looked at.
func (p *peeking) Read(b []byte) (int, error) {
	if len(p.peeked) > 0 {
		n := copy(b, p.peeked)
		p.peeked = p.peeked[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// telling is how many bytes tell a protocol, if they come soon after the first.
const (
	telling = 10
	soon    = 2 * time.Second
)

// peek waits for the first bytes.
func (p *peeking) peek(wait time.Duration) []byte {
	_ = p.SetReadDeadline(time.Now().Add(wait))
	b := make([]byte, 1024)
	n, err := p.Conn.Read(b)
	for n < telling && err == nil {
		// What comes in pieces is told by as much as comes soon.
		_ = p.SetReadDeadline(time.Now().Add(soon))
		m := 0
		m, err = p.Conn.Read(b[n:])
		n += m
	}
	p.peeked = b[:n]
	_ = p.SetReadDeadline(time.Now().Add(idle))
	return p.peeked
}

func (s *sink) line(f *flow, kind string) netlog.Line {
	return netlog.Line{Kind: kind, Src: f.src.String(), Dst: f.dst.String(), Name: f.name, SNI: f.sni}
}

// talk finds out what a connection is, and serves it.
func (s *sink) talk(f *flow) {
	switch {
	case f.dst.Port() == portDNS:
		s.dnsOverTCP(f, f.src, f.dst)
		return
	case slices.Contains(mailPorts, f.dst.Port()):
		s.mail(f, f)
		return
	}
	first := f.peek(idle)
	if !isTLS(first) || s.ca == nil {
		s.plain(f, f, first)
		return
	}
	inner, err := s.secure(f)
	if err != nil {
		return
	}
	defer inner.Close()
	if f.dst.Port() == portMails {
		s.mail(f, inner)
		return
	}
	p := &peeking{Conn: inner}
	s.plain(f, p, p.peek(idle))
}

// plain serves a connection of a protocol that is known by its first bytes.
func (s *sink) plain(f *flow, c net.Conn, first []byte) {
	if isHTTP(first) {
		s.web.serveOn(c, f)
		return
	}
	s.swallow(f, c, first)
}

// methods of HTTP, by which a connection to any port is known.
var methods = [][]byte{
	[]byte("GET "), []byte("POST "), []byte("HEAD "), []byte("PUT "), []byte("DELETE "), []byte("OPTIONS "), []byte("PATCH "), []byte("CONNECT "),
	[]byte("TRACE "), []byte("PROPFIND "),
}

func isHTTP(first []byte) bool {
	return slices.ContainsFunc(methods, func(m []byte) bool { return bytes.HasPrefix(first, m) })
}

// swallow takes all that comes, and answers with a file where the cell file names one.
func (s *sink) swallow(f *flow, c net.Conn, first []byte) {
	line := s.line(f, netlog.TCP)
	line.First = netlog.First(first)
	if file := s.answers["tcp-"+port(f.dst)]; file != nil {
		_, _ = io.Copy(c, io.NewSectionReader(file, 0, mostAnswer))
		line.Answer = "its file"
	}
	n := int64(0)
	b := make([]byte, 16<<10)
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
		_ = c.SetReadDeadline(time.Now().Add(idle))
		m, err := c.Read(b)
		n += int64(m)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				line.Why = "it was left open"
			}
			break
		}
	}
	line.Bytes = n
	s.log.Write(line)
}
