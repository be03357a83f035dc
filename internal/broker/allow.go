// Package broker is a keeper's answers to a network in user space that leads to what a cell file allows, and
// how such a network asks: for a name, or for a connection, which the keeper makes and hands it. It is apart
// from the network itself, whose packages no keeper needs.
package broker

import (
	"net/netip"
	"slices"
	"strings"

	"skep/internal/address"
)

// reserved are networks that no guest reaches because of a name or of a larger network: the host itself, its
// neighbours, and addresses by which clouds hand out secrets.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("240.0.0.0/4"),
}

// A Policy is what a guest may reach, and where names have led.
type Policy struct {
	rules []address.Rule
	own   []netip.Prefix // the host's own networks
	led   map[netip.Addr][]string
}

// mostLed bounds how many addresses of names are remembered.
const mostLed = 4096

// NewPolicy has the rules of a cell file, and the networks that the host is on.
func NewPolicy(rules []address.Rule, own []netip.Prefix) *Policy {
	return &Policy{rules: rules, own: own, led: map[netip.Addr][]string{}}
}

// Asks says whether a name may be asked for.
func (p *Policy) Asks(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return slices.ContainsFunc(p.rules, func(r address.Rule) bool { return r.Name != "" && r.Names(name) })
}

// Led remembers where a name led, and is what of it the guest may have.
func (p *Policy) Led(name string, all []netip.Addr) (some []netip.Addr) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, a := range all {
		a = a.Unmap()
		if !a.Is4() || p.within(a) != (netip.Prefix{}) {
			continue
		}
		if len(p.led) >= mostLed {
			clear(p.led)
		}
		if !slices.Contains(p.led[a], name) && len(p.led[a]) < 64 {
			p.led[a] = append(p.led[a], name)
		}
		some = append(some, a)
	}
	return some
}

// within is the reserved network that an address lies in, if it does.
func (p *Policy) within(a netip.Addr) netip.Prefix {
	for _, n := range slices.Concat(p.own, reserved) {
		if n.Contains(a) {
			return n
		}
	}
	return netip.Prefix{}
}

// Allows says why a guest may not connect, "" where it may.
func (p *Policy) Allows(udp bool, to netip.AddrPort) (why string) {
	a := to.Addr().Unmap()
	in := p.within(a)
	for _, r := range p.rules {
		if !r.On(udp, to.Port()) {
			continue
		}
		switch {
		case r.Name != "":
			if in == (netip.Prefix{}) && slices.ContainsFunc(p.led[a], r.Names) {
				return ""
			}
		case r.Prefix.Contains(a):
			// One that is reserved has to be named itself, or a part of it.
			if in == (netip.Prefix{}) || p.named(r.Prefix) {
				return ""
			}
		}
	}
	if in != (netip.Prefix{}) {
		return "it is in " + in.String() + ", which is the host's or reserved"
	}
	return "it is not allowed"
}

// named says whether a network is a reserved one, or a part of one.
func (p *Policy) named(n netip.Prefix) bool {
	return slices.ContainsFunc(slices.Concat(p.own, reserved), func(r netip.Prefix) bool { return r.Bits() <= n.Bits() && r.Contains(n.Addr()) })
}
