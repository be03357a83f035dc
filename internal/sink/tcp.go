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
const portDNS = 53

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
	s.talk(&flow{Conn: c, src: src, dst: dst, name: s.names.at(dst.Addr())})
}

// A flow is a connection that was accepted, with what is known of it.
type flow struct {
	net.Conn
	src, dst netip.AddrPort
	name     string
	sni      string
	peeked   []byte
}

// Read has again what was looked at.
func (f *flow) Read(b []byte) (int, error) {
	if len(f.peeked) > 0 {
		n := copy(b, f.peeked)
		f.peeked = f.peeked[n:]
		return n, nil
	}
	return f.Conn.Read(b)
}

// peek waits for the first bytes.
func (f *flow) peek(wait time.Duration) []byte {
	_ = f.SetReadDeadline(time.Now().Add(wait))
	b := make([]byte, 1024)
	n, _ := f.Conn.Read(b)
	f.peeked = b[:n]
	_ = f.SetReadDeadline(time.Now().Add(idle))
	return f.peeked
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
		s.mail(f)
		return
	}
	first := f.peek(idle)
	if isHTTP(first) {
		s.web.serve(f)
		return
	}
	s.swallow(f, first)
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
func (s *sink) swallow(f *flow, first []byte) {
	line := s.line(f, netlog.TCP)
	line.First = netlog.First(first)
	if file := s.answers["tcp-"+port(f.dst)]; file != nil {
		_, _ = io.Copy(f.Conn, io.NewSectionReader(file, 0, mostAnswer))
		line.Answer = "its file"
	}
	n := int64(len(first))
	b := make([]byte, 16<<10)
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
		_ = f.SetReadDeadline(time.Now().Add(idle))
		m, err := f.Conn.Read(b)
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
