package network

import (
	"net"
	"net/netip"
)

// Own are the networks that this host is on, of IPv4.
func Own() (all []netip.Prefix, err error) {
	addrs, err := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			all = append(all, p.Masked())
		}
	}
	return all, err
}
