package guestnet

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Addresses that a guest is given: it and its gateway, which is also its name server.
var (
	Guest   = netip.MustParseAddr("10.18.0.15")
	Gateway = netip.MustParseAddr("10.18.0.1")
	// OwnMAC is the gateway's address on the wire: one that is administered locally.
	OwnMAC = MAC{0x52, 0x55, 0x0a, 0x12, 0x00, 0x01}
)

// gateway is the gateway's address where the guest has one of ours.
func gateway(netip.Addr) netip.Addr { return Gateway }

// Config is what a Host is made with.
type Config struct {
	MAC   MAC
	MTU   int
	Guest netip.Addr
	// UDP is given every datagram first, and says whether it has dealt with it.
	UDP func(from MAC, d Datagram) bool
	// TCP is given each connection that the guest begins, on a goroutine of its own, before it is answered.
	TCP func(*Request)
	// Flow is given the first datagram of each flow that UDP has not dealt with; nil where there are none.
	Flow func(*udp.ForwarderRequest) bool
	// HalfOpen is how many connections may be neither accepted nor refused at a time.
	HalfOpen int
	// Buffer is how much of a connection may wait, in each direction.
	Buffer int
}

// A Host is all hosts of the network that the guest sees.
type Host struct {
	Port *Port
	link *Link
	s    *stack.Stack
	mac  MAC
}

// NewHost makes the stack. Serve has it answer.
func NewHost(p *Port, c Config) (*Host, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
	})
	h := &Host{Port: p, link: newLink(p, c), s: s, mac: c.MAC}
	const nic = 1
	fail := func(what string, err tcpip.Error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("%s: %s", what, err)
	}
	if err := fail("make the card", s.CreateNIC(nic, h.link)); err != nil {
		return nil, err
	}
	// It takes what is for anybody, and answers as whoever was asked.
	if err := fail("take all packets", s.SetPromiscuousMode(nic, true)); err != nil {
		return nil, err
	}
	if err := fail("answer for all", s.SetSpoofing(nic, true)); err != nil {
		return nil, err
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	if err := h.options(c); err != nil {
		return nil, err
	}
	forward := tcp.NewForwarder(s, 0, c.HalfOpen, func(r *tcp.ForwarderRequest) { c.TCP(&Request{r: r}) })
	s.SetTransportProtocolHandler(tcp.ProtocolNumber, forward.HandlePacket)
	if c.Flow != nil {
		s.SetTransportProtocolHandler(udp.ProtocolNumber, udp.NewForwarder(s, c.Flow).HandlePacket)
	}
	return h, nil
}

// options bound what a connection may keep, and for how long one that is over is remembered.
func (h *Host) options(c Config) error {
	sack, moderate := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(false)
	send := tcpip.TCPSendBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: c.Buffer, Max: c.Buffer}
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: c.Buffer, Max: c.Buffer}
	retries, wait := tcpip.TCPSynRetriesOption(3), tcpip.TCPTimeWaitTimeoutOption(time.Second)
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &send, &receive, &retries, &wait} {
		if err := h.s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("%T: %s", o, err)
		}
	}
	return nil
}

// Serve answers the guest until its hypervisor has gone.
func (h *Host) Serve() error { return h.link.serve() }

// SendUDP sends the guest a datagram.
func (h *Host) SendUDP(to MAC, src, dst netip.AddrPort, data []byte) {
	if len(data) <= maxUDP {
		h.Port.Send(udpFrame(to, h.mac, src, dst, data))
	}
}

// A Request is a connection that the guest begins. It is accepted or refused, once.
type Request struct{ r *tcp.ForwarderRequest }

// Src is the guest's end.
func (r *Request) Src() netip.AddrPort {
	return netip.AddrPortFrom(addr(r.r.ID().RemoteAddress), r.r.ID().RemotePort)
}

// Dst is whom it wants.
func (r *Request) Dst() netip.AddrPort {
	return netip.AddrPortFrom(addr(r.r.ID().LocalAddress), r.r.ID().LocalPort)
}

// Refuse says that nobody listens there.
func (r *Request) Refuse() { r.r.Complete(true) }

// Ignore says nothing at all.
func (r *Request) Ignore() { r.r.Complete(false) }

// Accept is the connection, once the guest has answered.
func (r *Request) Accept() (net.Conn, error) {
	var wq waiter.Queue
	ep, err := r.r.CreateEndpoint(&wq)
	if err != nil {
		r.r.Complete(true)
		return nil, fmt.Errorf("accept: %s", err)
	}
	r.r.Complete(false)
	return gonet.NewTCPConn(&wq, ep), nil
}

// FlowOf is the guest's end of a flow of datagrams, and whom it wants.
func FlowOf(r *udp.ForwarderRequest) (src, dst netip.AddrPort) {
	id := r.ID()
	return netip.AddrPortFrom(addr(id.RemoteAddress), id.RemotePort), netip.AddrPortFrom(addr(id.LocalAddress), id.LocalPort)
}

// AcceptFlow is such a flow.
func AcceptFlow(r *udp.ForwarderRequest) (net.Conn, error) {
	var wq waiter.Queue
	ep, err := r.CreateEndpoint(&wq)
	if err != nil {
		return nil, fmt.Errorf("accept: %s", err)
	}
	return gonet.NewUDPConn(&wq, ep), nil
}
