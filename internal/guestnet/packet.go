package guestnet

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// A MAC is an Ethernet address.
type MAC [6]byte

// Broadcast is everybody's.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Types of frames.
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
)

// Ends are whom a frame is for and whom it is of; false where it is too short for that.
func Ends(frame []byte) (to, from MAC, ok bool) {
	if len(frame) < headerLen {
		return to, from, false
	}
	copy(to[:], frame)
	copy(from[:], frame[6:])
	return to, from, true
}

// Many says whether it is the address of several: broadcast is.
func (m MAC) Many() bool { return m[0]&1 != 0 }

// etherType is the type of a frame, 0 of one that has none.
func etherType(frame []byte) uint16 {
	if len(frame) < headerLen {
		return 0
	}
	return binary.BigEndian.Uint16(frame[12:])
}

// ethernet begins a frame.
func ethernet(to, from MAC, kind uint16, room int) []byte {
	f := make([]byte, 0, headerLen+room)
	f = append(append(f, to[:]...), from[:]...)
	return binary.BigEndian.AppendUint16(f, kind)
}

// A Datagram is one UDP packet of the guest's.
type Datagram struct {
	Src, Dst netip.AddrPort
	Data     []byte
}

// packetOf is the packet in a frame, without what fills the frame up; nil where its header is not whole.
func packetOf(frame []byte) header.IPv4 {
	if etherType(frame) != typeIPv4 {
		return nil
	}
	h := header.IPv4(frame[headerLen:])
	if !h.IsValid(len(h)) {
		return nil
	}
	return h[:h.TotalLength()]
}

// datagram is the UDP packet in an IPv4 packet. What comes in fragments is none.
func datagram(h header.IPv4) (d Datagram, ok bool) {
	if h.TransportProtocol() != header.UDPProtocolNumber || h.More() || h.FragmentOffset() != 0 {
		return d, false
	}
	u := header.UDP(h.Payload())
	if len(u) < header.UDPMinimumSize || int(u.Length()) < header.UDPMinimumSize || int(u.Length()) > len(u) {
		return d, false
	}
	return Datagram{
		Src:  netip.AddrPortFrom(addr(h.SourceAddress()), u.SourcePort()),
		Dst:  netip.AddrPortFrom(addr(h.DestinationAddress()), u.DestinationPort()),
		Data: u[header.UDPMinimumSize:u.Length()],
	}, true
}

// addr and tcpipAddr turn one kind of address into the other.
func addr(a tcpip.Address) netip.Addr {
	out, _ := netip.AddrFromSlice(a.AsSlice())
	return out
}

func tcpipAddr(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.AsSlice()) }

// maxUDP is what fits into a packet.
const maxUDP = 65535 - header.IPv4MinimumSize - header.UDPMinimumSize

// udpFrame is a frame with one UDP packet. It does not look at an MTU.
func udpFrame(to, from MAC, src, dst netip.AddrPort, data []byte) []byte {
	const headers = header.IPv4MinimumSize + header.UDPMinimumSize
	f := ethernet(to, from, typeIPv4, headers+len(data))
	f = append(f, make([]byte, headers)...)
	f = append(f, data...)
	ip := header.IPv4(f[headerLen:])
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(ip)), TTL: 64, Protocol: uint8(header.UDPProtocolNumber),
		SrcAddr: tcpipAddr(src.Addr()), DstAddr: tcpipAddr(dst.Addr()),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	u := header.UDP(ip[header.IPv4MinimumSize:])
	u.Encode(&header.UDPFields{SrcPort: src.Port(), DstPort: dst.Port(), Length: uint16(len(u))})
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, tcpipAddr(src.Addr()), tcpipAddr(dst.Addr()), uint16(len(u)))
	u.SetChecksum(^u.CalculateChecksum(checksum.Checksum(data, sum)))
	return f
}

// arpReply answers a question for an address: it is at ours. The question must be whole.
func arpReply(ours MAC, question header.ARP) []byte {
	var asker MAC
	copy(asker[:], question.HardwareAddressSender())
	f := ethernet(asker, ours, typeARP, header.ARPSize)
	f = append(f, make([]byte, header.ARPSize)...)
	a := header.ARP(f[headerLen:])
	a.SetIPv4OverEthernet()
	a.SetOp(header.ARPReply)
	copy(a.HardwareAddressSender(), ours[:])
	copy(a.ProtocolAddressSender(), question.ProtocolAddressTarget())
	copy(a.HardwareAddressTarget(), question.HardwareAddressSender())
	copy(a.ProtocolAddressTarget(), question.ProtocolAddressSender())
	return f
}
