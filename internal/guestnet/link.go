package guestnet

import (
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// maxPeers is how many addresses of a guest are remembered. One is usual.
const maxPeers = 256

// A Link carries packets between a port and a stack. It answers for every address but the guest's own, so
// a guest finds whomever it asks for at the other end of its wire.
type Link struct {
	port *Port
	mac  MAC
	mtu  uint32
	own  netip.Addr // the guest's, for whom nobody answers
	// udp is given every datagram of the guest's first, and says whether it has dealt with it.
	udp func(from MAC, d Datagram) bool

	mu    sync.Mutex
	up    stack.NetworkDispatcher
	peers map[netip.Addr]MAC
	last  MAC
}

var _ stack.LinkEndpoint = (*Link)(nil)

func newLink(p *Port, c Config) *Link {
	return &Link{port: p, mac: c.MAC, mtu: uint32(c.MTU), own: c.Guest, udp: c.UDP, peers: map[netip.Addr]MAC{}, last: Broadcast}
}

// serve reads frames until the hypervisor has gone.
func (l *Link) serve() error {
	for {
		frame, err := l.port.Read()
		if err != nil {
			return err
		}
		l.receive(frame)
	}
}

func (l *Link) receive(frame []byte) {
	if len(frame) < headerLen {
		return
	}
	var from MAC
	copy(from[:], frame[6:12])
	if from[0]&1 != 0 || from == l.mac {
		return // nobody's address
	}
	switch etherType(frame) {
	case typeARP:
		l.arp(from, header.ARP(frame[headerLen:]))
	case typeIPv4:
		h := packetOf(frame)
		if h == nil {
			return
		}
		l.learn(addr(h.SourceAddress()), from)
		if d, ok := datagram(h); ok && l.udp != nil && l.udp(from, d) {
			return
		}
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(h)})
		defer pkt.DecRef()
		l.mu.Lock()
		up := l.up
		l.mu.Unlock()
		if up != nil {
			up.DeliverNetworkPacket(ipv4Number, pkt)
		}
	}
}

const ipv4Number = ipv4.ProtocolNumber

// arp answers for every address but those that a guest asks for to see whether it may have them.
func (l *Link) arp(from MAC, a header.ARP) {
	if !a.IsValid() || a.Op() != header.ARPRequest {
		return
	}
	sender, _ := netip.AddrFromSlice(a.ProtocolAddressSender())
	target, _ := netip.AddrFromSlice(a.ProtocolAddressTarget())
	if sender == target || target == l.own || target.IsUnspecified() || sender.IsUnspecified() && target.IsPrivate() && target != gateway(l.own) {
		return
	}
	if !sender.IsUnspecified() {
		l.learn(sender, from)
	}
	l.port.Send(arpReply(l.mac, a))
}

func (l *Link) learn(a netip.Addr, m MAC) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = m
	if len(l.peers) >= maxPeers {
		clear(l.peers)
	}
	l.peers[a] = m
}

func (l *Link) macOf(a netip.Addr) MAC {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m, ok := l.peers[a]; ok {
		return m
	}
	return l.last
}

// WritePackets implements stack.LinkWriter.
func (l *Link) WritePackets(all stack.PacketBufferList) (int, tcpip.Error) {
	n := 0
	for _, pkt := range all.AsSlice() {
		v := pkt.ToView()
		h := header.IPv4(v.AsSlice())
		if len(h) < header.IPv4MinimumSize {
			v.Release()
			continue
		}
		f := ethernet(l.macOf(addr(h.DestinationAddress())), l.mac, typeIPv4, len(h))
		f = append(f, h...)
		v.Release()
		if !l.port.Send(f) {
			break
		}
		n++
	}
	if n == 0 {
		return 0, &tcpip.ErrNoBufferSpace{}
	}
	return n, nil
}

// The rest of stack.LinkEndpoint has nothing to it: no header of this layer is the stack's to make.

// MTU implements stack.LinkEndpoint.
func (l *Link) MTU() uint32 { return l.mtu }

// SetMTU implements stack.LinkEndpoint.
func (*Link) SetMTU(uint32) {}

// MaxHeaderLength implements stack.LinkEndpoint.
func (*Link) MaxHeaderLength() uint16 { return 0 }

// LinkAddress implements stack.LinkEndpoint.
func (l *Link) LinkAddress() tcpip.LinkAddress { return tcpip.LinkAddress(l.mac[:]) }

// SetLinkAddress implements stack.LinkEndpoint.
func (*Link) SetLinkAddress(tcpip.LinkAddress) {}

// Capabilities implements stack.LinkEndpoint.
func (*Link) Capabilities() stack.LinkEndpointCapabilities { return 0 }

// Attach implements stack.LinkEndpoint.
func (l *Link) Attach(d stack.NetworkDispatcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = d
}

// IsAttached implements stack.LinkEndpoint.
func (l *Link) IsAttached() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up != nil
}

// Wait implements stack.LinkEndpoint.
func (*Link) Wait() {}

// ARPHardwareType implements stack.LinkEndpoint.
func (*Link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }

// AddHeader implements stack.LinkEndpoint.
func (*Link) AddHeader(*stack.PacketBuffer) {}

// ParseHeader implements stack.LinkEndpoint.
func (*Link) ParseHeader(*stack.PacketBuffer) bool { return true }

// Close implements stack.LinkEndpoint.
func (*Link) Close() {}

// SetOnCloseAction implements stack.LinkEndpoint.
func (*Link) SetOnCloseAction(func()) {}
