package guestnet

import (
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const dhcpServer, dhcpClient = 67, 68

// A Lease is what a guest is told of its network.
type Lease struct {
	Guest   netip.Addr
	Bits    int
	Gateway netip.Addr // the zero address: there is none, and no name server
	Server  netip.Addr // who says so
	MTU     int
	Host    string
}

// DHCP answers a guest that asks for an address, and says whether the datagram was such a question; kind is
// what it asked.
func (h *Host) DHCP(from MAC, d Datagram, l Lease) (kind string, asked bool) {
	if d.Dst.Port() != dhcpServer {
		return "", false
	}
	frame, kind := dhcpAnswer(h.mac, from, d.Data, l)
	if frame != nil {
		h.Port.Send(frame)
	}
	return kind, true
}

// dhcpAnswer is the frame that answers a question, nil where it needs none.
func dhcpAnswer(ours, from MAC, data []byte, l Lease) (frame []byte, kind string) {
	q, err := dhcpv4.FromBytes(data)
	if err != nil || q.OpCode != dhcpv4.OpcodeBootRequest {
		return nil, "no question"
	}
	kind = q.MessageType().String()
	answer := dhcpv4.MessageTypeAck
	switch q.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		answer = dhcpv4.MessageTypeOffer
	case dhcpv4.MessageTypeRequest:
		if want := wanted(q); want.IsValid() && want != l.Guest {
			answer = dhcpv4.MessageTypeNak
		}
	case dhcpv4.MessageTypeInform:
	default:
		return nil, kind
	}
	server := net.IP(l.Server.AsSlice())
	set := []dhcpv4.Modifier{
		dhcpv4.WithReply(q), dhcpv4.WithMessageType(answer), dhcpv4.WithServerIP(server), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server)),
	}
	if answer != dhcpv4.MessageTypeNak {
		set = append(set, l.options(q.MessageType() != dhcpv4.MessageTypeInform)...)
	}
	// Not dhcpv4.New, which draws a number that a reply does not need, outside of Linux from a file: nothing is opened here.
	a := &dhcpv4.DHCPv4{ClientIPAddr: net.IPv4zero, YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero, GatewayIPAddr: net.IPv4zero,
		Options: dhcpv4.Options{}}
	for _, change := range set {
		change(a)
	}
	to, dst := Broadcast, netip.AddrFrom4([4]byte{255, 255, 255, 255})
	if c, ok := netip.AddrFromSlice(q.ClientIPAddr.To4()); ok && !c.IsUnspecified() && answer != dhcpv4.MessageTypeNak {
		to, dst = from, c
	}
	return udpFrame(to, ours, netip.AddrPortFrom(l.Server, dhcpServer), netip.AddrPortFrom(dst, dhcpClient), a.ToBytes()), kind
}

func wanted(q *dhcpv4.DHCPv4) netip.Addr {
	ip := q.RequestedIPAddress().To4()
	if ip == nil || ip.IsUnspecified() {
		ip = q.ClientIPAddr.To4()
	}
	a, _ := netip.AddrFromSlice(ip)
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

func (l Lease) options(address bool) []dhcpv4.Modifier {
	set := []dhcpv4.Modifier{dhcpv4.WithNetmask(net.CIDRMask(l.Bits, 32))}
	if address {
		set = append(set, dhcpv4.WithYourIP(l.Guest.AsSlice()), dhcpv4.WithLeaseTime(uint32((24 * time.Hour).Seconds())))
	}
	if l.Gateway.IsValid() {
		gw := net.IP(l.Gateway.AsSlice())
		set = append(set, dhcpv4.WithOption(dhcpv4.OptRouter(gw)), dhcpv4.WithOption(dhcpv4.OptDNS(gw)))
	}
	if l.Host != "" {
		set = append(set, dhcpv4.WithOption(dhcpv4.OptHostName(l.Host)))
	}
	if l.MTU > 0 && l.MTU != 1500 {
		set = append(set, dhcpv4.WithOption(dhcpv4.Option{Code: dhcpv4.OptionInterfaceMTU, Value: dhcpv4.Uint16(l.MTU)}))
	}
	return set
}
