package sink

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"skep/internal/netlog"
)

const ttl = 60

// resolve answers a question; nil where what came is none.
func (s *sink) resolve(data []byte, src, dst netip.AddrPort) []byte {
	q := new(dns.Msg)
	if err := q.Unpack(data); err != nil || q.Response || len(q.Question) != 1 {
		return nil
	}
	a := new(dns.Msg)
	a.SetReply(q)
	a.Authoritative, a.RecursionAvailable = true, true
	ask := q.Question[0]
	line := netlog.Line{Kind: netlog.DNS, Src: src.String(), Dst: dst.String(), Name: canonical(ask.Name), Type: dns.TypeToString[ask.Qtype]}
	switch {
	case q.Opcode != dns.OpcodeQuery:
		a.Rcode = dns.RcodeNotImplemented
	case ask.Qclass != dns.ClassINET && ask.Qclass != dns.ClassANY:
		a.Rcode = dns.RcodeRefused
	default:
		line.Answer = s.records(a, ask)
	}
	if o := q.IsEdns0(); o != nil {
		a.SetEdns0(1232, false)
	}
	s.log.Write(line)
	out, err := a.Pack()
	if err != nil {
		return nil
	}
	return out
}

// records are what a name has; in words too.
func (s *sink) records(a *dns.Msg, ask dns.Question) string {
	head := dns.RR_Header{Name: ask.Name, Rrtype: ask.Qtype, Class: dns.ClassINET, Ttl: ttl}
	add := func(rr dns.RR) string {
		a.Answer = append(a.Answer, rr)
		return strings.TrimPrefix(rr.String(), head.String())
	}
	switch ask.Qtype {
	case dns.TypeA, dns.TypeANY:
		head.Rrtype = dns.TypeA
		return add(&dns.A{Hdr: head, A: s.names.of(ask.Name).AsSlice()})
	case dns.TypeMX:
		return add(&dns.MX{Hdr: head, Preference: 10, Mx: ask.Name})
	case dns.TypeNS:
		return add(&dns.NS{Hdr: head, Ns: ask.Name})
	case dns.TypeTXT:
		return add(&dns.TXT{Hdr: head, Txt: []string{""}})
	case dns.TypeSOA:
		return add(&dns.SOA{Hdr: head, Ns: ask.Name, Mbox: ask.Name, Serial: 1, Refresh: ttl, Retry: ttl, Expire: ttl, Minttl: ttl})
	case dns.TypePTR:
		if name := s.names.at(reversed(ask.Name)); name != "" {
			return add(&dns.PTR{Hdr: head, Ptr: dns.Fqdn(name)})
		}
		a.Rcode = dns.RcodeNameError
		return "no such name"
	}
	return "" // the name is there, and has nothing of that kind
}

// reversed is the address that a name of in-addr.arpa is for.
func reversed(name string) netip.Addr {
	rest, ok := strings.CutSuffix(canonical(name), ".in-addr.arpa")
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 4 {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0])
	return a
}

// dnsOverTCP answers questions of a connection, each behind its length.
func (s *sink) dnsOverTCP(c net.Conn, src, dst netip.AddrPort) {
	for range 1000 {
		_ = c.SetDeadline(time.Now().Add(idle))
		var n [2]byte
		if _, err := io.ReadFull(c, n[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint16(n[:]))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		a := s.resolve(b, src, dst)
		if a == nil || len(a) > 65535 {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...)); err != nil {
			return
		}
	}
}
