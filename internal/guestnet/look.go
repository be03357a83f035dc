package guestnet

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Begins is whom a frame of the guest's begins to speak with: the first packet of a connection, or any datagram.
func Begins(frame []byte) (dst netip.AddrPort, ok bool) {
	h := packetOf(frame)
	if h == nil || h.FragmentOffset() != 0 {
		return dst, false
	}
	switch p := h.Payload(); h.TransportProtocol() {
	case header.TCPProtocolNumber:
		if len(p) < header.TCPMinimumSize || header.TCP(p).Flags()&(header.TCPFlagSyn|header.TCPFlagAck) != header.TCPFlagSyn {
			return dst, false
		}
		return netip.AddrPortFrom(addr(h.DestinationAddress()), header.TCP(p).DestinationPort()), true
	case header.UDPProtocolNumber:
		if len(p) < header.UDPMinimumSize {
			return dst, false
		}
		return netip.AddrPortFrom(addr(h.DestinationAddress()), header.UDP(p).DestinationPort()), true
	}
	return dst, false
}
