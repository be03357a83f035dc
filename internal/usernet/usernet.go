// Package usernet is a network in user space that leads to what a cell file allows and nowhere else. Its
// process has no network: for each connection of the guest's it asks its keeper, which looks whether that is
// allowed, connects, and hands it the socket (package broker).
package usernet

import (
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"skep/internal/broker"
	"skep/internal/capture"
	"skep/internal/guestnet"
	"skep/internal/netjob"
	"skep/internal/netlog"
)

// Bounds of what a guest may have open at a time, and for how long it may be silent.
const (
	halfOpen  = 256
	buffer    = 256 << 10
	mtu       = 1500
	silentTCP = time.Hour
	silentUDP = time.Minute
	ttl       = 30
)

type network struct {
	netjob.User
	log   *netlog.Log
	ring  *capture.Ring
	ask   *broker.Asker
	host  *guestnet.Host
	slots chan struct{}
}

// Run serves until the hypervisor has gone.
func Run(arg string, files map[string]*os.File) error {
	n, err := begin(arg, files)
	if err != nil {
		return err
	}
	card := guestnet.Card(files, n.Frames)
	err = n.serve(card)
	if n.ring != nil {
		n.ring.Lost(guestnet.Dropped(card))
		err = errors.Join(err, n.ring.Close())
	}
	return err
}

func begin(arg string, files map[string]*os.File) (*network, error) {
	n := &network{slots: make(chan struct{}, netjob.MostSockets-32)}
	if err := json.Unmarshal([]byte(arg), &n.User); err != nil {
		return nil, err
	}
	if n.Memory > 0 {
		debug.SetMemoryLimit(n.Memory / 2)
	}
	var err error
	if n.log, err = netlog.New(n.NIC, files[netjob.FileLog], files[netjob.FileLogThen], n.LogMax); err != nil {
		return nil, err
	}
	if n.CaptureMax > 0 {
		n.ring, err = capture.New(n.Host, n.NIC, files[netjob.CaptureOne], files[netjob.CaptureTwo], n.CaptureMax)
	}
	n.ask = broker.NewAsker(files[netjob.FileBroker])
	return n, err
}

func (n *network) serve(rw io.ReadWriter) (err error) {
	var tap guestnet.Tap
	if n.ring != nil {
		tap = func(d guestnet.Direction, frame []byte) { n.ring.Frame(d == guestnet.In, frame) }
	}
	n.host, err = guestnet.NewHost(guestnet.NewPort(rw, tap), guestnet.Config{
		MAC: guestnet.OwnMAC, MTU: mtu, Guest: guestnet.Guest, UDP: n.datagram, TCP: n.connection, Flow: n.flow, HalfOpen: halfOpen, Buffer: buffer,
	})
	if err != nil {
		return err
	}
	if err = n.host.Serve(); errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// datagram answers what is for the network itself: addresses and names.
func (n *network) datagram(from guestnet.MAC, d guestnet.Datagram) bool {
	lease := guestnet.Lease{Guest: guestnet.Guest, Bits: 24, Gateway: guestnet.Gateway, Server: guestnet.Gateway, Host: n.Host}
	if kind, asked := n.host.DHCP(from, d, lease); asked {
		n.log.Write(netlog.Line{Kind: netlog.DHCP, Src: d.Src.String(), Type: kind, Answer: guestnet.Guest.String()})
		return true
	}
	if d.Dst != netip.AddrPortFrom(guestnet.Gateway, 53) {
		return false
	}
	q := new(dns.Msg)
	if err := q.Unpack(d.Data); err != nil || q.Response || len(q.Question) != 1 {
		return true
	}
	select {
	case n.slots <- struct{}{}:
	default:
		return true // lost, as on a wire; a guest asks again
	}
	go func() {
		defer func() { <-n.slots }()
		if out, err := n.resolve(q, d.Src).Pack(); err == nil {
			n.host.SendUDP(from, d.Dst, d.Src, out)
		}
	}()
	return true
}

func (n *network) resolve(q *dns.Msg, src netip.AddrPort) *dns.Msg {
	a, ask := new(dns.Msg), q.Question[0]
	a.SetReply(q)
	a.RecursionAvailable = true
	line := netlog.Line{Kind: netlog.DNS, Src: src.String(), Name: strings.ToLower(strings.TrimSuffix(ask.Name, ".")), Type: dns.TypeToString[ask.Qtype]}
	r := n.ask.Ask(broker.Question{Do: "name", Name: strings.TrimSuffix(ask.Name, ".")})
	switch {
	case r.Why != "":
		a.Rcode, line.Kind, line.Why = dns.RcodeRefused, netlog.Refused, r.Why
	case ask.Qtype == dns.TypeA && ask.Qclass == dns.ClassINET:
		for _, addr := range r.Addrs {
			a.Answer = append(a.Answer, &dns.A{Hdr: dns.RR_Header{Name: ask.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl}, A: addr.AsSlice()})
			line.Answer += addr.String() + " "
		}
	}
	n.log.Write(line)
	return a
}

// open asks for the host's end of a connection.
func (n *network) open(do string, src, dst netip.AddrPort) *os.File {
	r := n.ask.Ask(broker.Question{Do: do, To: dst})
	line := netlog.Line{Kind: do, Src: src.String(), Dst: dst.String(), Why: r.Why}
	if r.Why != "" || r.FD < 0 {
		line.Kind = netlog.Refused
		n.log.Write(line)
		return nil
	}
	n.log.Write(line)
	return os.NewFile(uintptr(r.FD), do)
}

// connection carries one of the guest's.
func (n *network) connection(r *guestnet.Request) {
	select {
	case n.slots <- struct{}{}:
		defer func() { <-n.slots }()
	default:
		r.Refuse()
		return
	}
	out := n.open("tcp", r.Src(), r.Dst())
	if out == nil {
		r.Refuse()
		return
	}
	defer out.Close()
	in, err := r.Accept()
	if err != nil {
		return
	}
	defer in.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		carry(out, in)
		if raw, err := out.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
		}
	}()
	carry(in, out)
	if c, ok := in.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	<-done
}

// deadline is what both ends of a connection have.
type deadline interface{ SetReadDeadline(time.Time) error }

// carry copies until one end is silent for too long, or over.
func carry(to io.Writer, from io.Reader) {
	b := make([]byte, 64<<10)
	for {
		_ = from.(deadline).SetReadDeadline(time.Now().Add(silentTCP))
		m, err := from.Read(b)
		if m > 0 {
			if _, err := to.Write(b[:m]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// flow carries the datagrams of one of the guest's ports to one other.
func (n *network) flow(r *udp.ForwarderRequest) bool {
	src, dst := guestnet.FlowOf(r)
	select {
	case n.slots <- struct{}{}:
	default:
		return true
	}
	go func() {
		defer func() { <-n.slots }()
		out := n.open("udp", src, dst)
		if out == nil {
			return
		}
		defer out.Close()
		in, err := guestnet.AcceptFlow(r)
		if err != nil {
			return
		}
		defer in.Close()
		go func() {
			datagrams(out, in)
			out.Close()
			in.Close()
		}()
		datagrams(in, out)
	}()
	return true
}

func datagrams(to io.Writer, from io.Reader) {
	b := make([]byte, 64<<10)
	for {
		_ = from.(deadline).SetReadDeadline(time.Now().Add(silentUDP))
		m, err := from.Read(b)
		if err != nil {
			return
		}
		_, _ = to.Write(b[:m])
	}
}
