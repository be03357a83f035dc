// Package guesttest is a guest with a network card, for tests of networks in user space: a TCP/IP stack whose
// frames go to the network as a hypervisor's would.
package guesttest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const nic = 1

// A Guest is one.
type Guest struct {
	t    testing.TB
	conn io.ReadWriter
	s    *stack.Stack
	mu   sync.Mutex // of writes
	MAC  net.HardwareAddr
}

// New has a guest whose frames come and go by conn.
func New(t testing.TB, conn io.ReadWriter, mac net.HardwareAddr) *Guest {
	t.Helper()
	g := &Guest{t: t, conn: conn, MAC: mac, s: stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
	})}
	low := channel.New(4096, 1514, tcpip.LinkAddress(mac))
	low.LinkEPCapabilities = stack.CapabilityResolutionRequired
	if err := g.s.CreateNIC(nic, ethernet.New(low)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); g.s.Close() })
	go func() {
		for {
			pkt := low.ReadContext(ctx)
			if pkt == nil {
				return
			}
			v := pkt.ToView()
			_ = g.Frame(v.AsSlice())
			v.Release()
			pkt.DecRef()
		}
	}()
	go func() {
		for {
			var n [4]byte
			if _, err := io.ReadFull(conn, n[:]); err != nil {
				return
			}
			b := make([]byte, binary.BigEndian.Uint32(n[:]))
			if _, err := io.ReadFull(conn, b); err != nil {
				return
			}
			pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(b)})
			low.InjectInbound(0, pkt)
			pkt.DecRef()
		}
	}()
	return g
}

// Frame sends a frame as it is.
func (g *Guest) Frame(frame []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, err := g.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}

// Raw sends bytes that need be no frame.
func (g *Guest) Raw(b []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, err := g.conn.Write(b)
	return err
}

// Have gives the guest an address, with a gateway where that is one.
func (g *Guest) Have(a netip.Addr, bits int, gateway netip.Addr) {
	g.t.Helper()
	err := g.s.AddProtocolAddress(nic, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(a.AsSlice()), PrefixLen: bits}}, stack.AddressProperties{})
	if err != nil {
		g.t.Fatal(err)
	}
	p := netip.PrefixFrom(a, bits).Masked()
	own, _ := tcpip.NewSubnet(tcpip.AddrFromSlice(p.Addr().AsSlice()), tcpip.MaskFromBytes(net.CIDRMask(bits, 32)))
	routes := []tcpip.Route{{Destination: own, NIC: nic}}
	if gateway.IsValid() {
		routes = append(routes, tcpip.Route{Destination: header.IPv4EmptySubnet, Gateway: tcpip.AddrFromSlice(gateway.AsSlice()), NIC: nic})
	}
	g.s.SetRouteTable(routes)
}

// Lease asks for an address and takes it.
func (g *Guest) Lease() *dhcpv4.DHCPv4 {
	g.t.Helper()
	err := g.s.AddProtocolAddress(nic, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4([4]byte{}), PrefixLen: 0}}, stack.AddressProperties{})
	if err != nil {
		g.t.Fatal(err)
	}
	g.s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	var wq waiter.Queue
	ep, uerr := g.s.NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, &wq)
	if uerr != nil {
		g.t.Fatal(uerr)
	}
	ep.SocketOptions().SetBroadcast(true)
	if err := ep.Bind(tcpip.FullAddress{NIC: nic, Port: 68}); err != nil {
		g.t.Fatal(err)
	}
	conn := gonet.NewUDPConn(&wq, ep)
	defer conn.Close()
	ask := func(q *dhcpv4.DHCPv4, err error) *dhcpv4.DHCPv4 {
		g.t.Helper()
		if err == nil {
			_, err = conn.WriteTo(q.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 67})
		}
		if err != nil {
			g.t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		b := make([]byte, 1500)
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			g.t.Fatal(err)
		}
		a, err := dhcpv4.FromBytes(b[:n])
		if err != nil {
			g.t.Fatal(err)
		}
		return a
	}
	offer := ask(dhcpv4.NewDiscovery(g.MAC))
	ack := ask(dhcpv4.NewRequestFromOffer(offer))
	_ = g.s.RemoveAddress(nic, tcpip.AddrFrom4([4]byte{}))
	got, _ := netip.AddrFromSlice(ack.YourIPAddr.To4())
	ones, _ := ack.SubnetMask().Size()
	var gw netip.Addr
	if r := ack.Router(); len(r) > 0 {
		gw, _ = netip.AddrFromSlice(r[0].To4())
	}
	g.Have(got, ones, gw)
	return ack
}

// Dial connects to an address.
func (g *Guest) Dial(to string) (net.Conn, error) {
	a, err := netip.ParseAddrPort(to)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return gonet.DialContextTCP(ctx, g.s, tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFromSlice(a.Addr().AsSlice()), Port: a.Port()}, ipv4.ProtocolNumber)
}

// Send sends one datagram and waits for an answer.
func (g *Guest) Send(to string, data []byte) ([]byte, error) {
	a, err := netip.ParseAddrPort(to)
	if err != nil {
		return nil, err
	}
	conn, err := gonet.DialUDP(g.s, nil, &tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFromSlice(a.Addr().AsSlice()), Port: a.Port()}, ipv4.ProtocolNumber)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	b := make([]byte, 64<<10)
	for range 3 {
		if _, err := conn.Write(data); err != nil {
			return nil, err
		}
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(b); err == nil {
			return b[:n], nil
		}
	}
	return nil, errors.New("no answer")
}
