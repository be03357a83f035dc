package address

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A Rule is one thing that a guest may reach: a name, all below one, or a network; on one port, or on all.
type Rule struct {
	Name   string // "deb.example", "*.example"; "" where Prefix is
	Prefix netip.Prefix
	Port   uint16 // 0 is every one
	UDP    bool
}

// ParseRule reads "deb.example:443", "192.0.2.0/24:53/udp" or "*.example:*".
func ParseRule(s string) (Rule, error) {
	rest, udp := strings.CutSuffix(s, "/udp")
	rest, _ = strings.CutSuffix(rest, "/tcp")
	r := Rule{UDP: udp}
	i := strings.LastIndexByte(rest, ':')
	if i < 1 {
		return r, errors.New("must be a name, an address or a network with a port, such as \"deb.example:443\"")
	}
	host, port := rest[:i], rest[i+1:]
	if port != "*" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return r, errors.New("the port must be a number from 1 to 65535, or *")
		}
		r.Port = uint16(n)
	}
	if p, err := netip.ParsePrefix(host); err == nil {
		if !p.Addr().Is4() || p != p.Masked() {
			return r, fmt.Errorf("the network must be one of IPv4, such as %q", "192.0.2.0/24")
		}
		r.Prefix = p
		return r, nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if !a.Is4() {
			return r, errors.New("the address must be one of IPv4")
		}
		r.Prefix = netip.PrefixFrom(a, 32)
		return r, nil
	}
	r.Name = strings.ToLower(host)
	for label := range strings.SplitSeq(strings.TrimPrefix(r.Name, "*."), ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return r, errors.New("the name must consist of letters, digits, - and dots")
		}
	}
	return r, nil
}

// Names says whether a rule is about a name.
func (r Rule) Names(name string) bool {
	if below, all := strings.CutPrefix(r.Name, "*"); all {
		return strings.HasSuffix(name, below)
	}
	return r.Name == name
}

// On says whether it is about a port.
func (r Rule) On(udp bool, port uint16) bool {
	return r.UDP == udp && (r.Port == 0 || r.Port == port)
}
