package cell

import (
	"net/netip"
	"strconv"
	"strings"

	"skep/internal/address"

	"github.com/zclconf/go-cty/cty"
)

// listen is an address and a port. A name instead of the address would be looked
// up at some later time, with whatever answer there is by then.
var listen = scalar(
	func(v cty.Value) (string, *mistake) {
		s, m := plainText(v)
		if v.Type() == cty.Number {
			return "", mustBe("an address and a port").but("did you mean \"127.0.0.1:%s\"?", v.AsBigFloat().Text('f', -1))
		}
		if m != nil {
			return "", m
		}
		host, port, err := address.SplitPort(s)
		if err != nil {
			return "", badListen(s)
		}
		addr, err := netip.ParseAddr(host)
		switch {
		case host == "" || host == "*":
			return "", wrong("the address is missing").
				but("did you mean \"127.0.0.1:%s\"? For every address of the host write \"0.0.0.0:%[1]s\"", port)
		case host == "localhost":
			return "", wrong("must be a numeric address, not a name").but("did you mean \"127.0.0.1:%s\"?", port)
		case err != nil:
			return "", wrong("%q is not a numeric address", host)
		case addr.Zone() != "":
			return "", wrong("addresses with a zone are not supported")
		}
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return "", wrong("the port must be a number from 1 to 65535")
		}
		return netip.AddrPortFrom(addr.Unmap(), uint16(n)).String(), nil
	},
	cty.StringVal,
)

func badListen(s string) *mistake {
	m := wrong("must be an address and a port, such as \"127.0.0.1:5900\"")
	if a, err := netip.ParseAddr(s); err == nil {
		m.but("did you mean %q?", address.JoinPort(a.String(), "5900"))
	} else if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 65536 {
		m.but("did you mean \"127.0.0.1:%d\"?", n)
	} else if i := strings.LastIndexByte(s, ':'); i > 0 {
		if a, err := netip.ParseAddr(s[:i]); err == nil && a.Is6() {
			m.but("did you mean \"[%s]%s\"?", s[:i], s[i:])
		}
	}
	return m
}

// ipAddress is an address of the jail: IPv4 or IPv6, with or without a prefix
// length, as ip4.addr and ip6.addr of jail.conf(5) take them.
func ipAddress(six bool) kind[string] {
	family, other := "IPv4", "ip6"
	if six {
		family, other = "IPv6", "ip4"
	}
	return text(func(s string) *mistake {
		if _, addr, ok := strings.Cut(s, "|"); ok {
			return wrong("must be an address that the host has, without an interface").but("did you mean %q?", addr)
		}
		host, _, masked := strings.Cut(s, "/")
		addr, err := netip.ParseAddr(host)
		switch {
		case err != nil:
			return wrong("not an %s address", family)
		case addr.Is6() != six:
			return wrong("not an %s address", family).but("it belongs in %s", other)
		case addr.Zone() != "" || addr.Is4In6():
			return wrong("must be a plain %s address", family)
		case addr.IsUnspecified() || addr.IsMulticast():
			return wrong("not an address that a host can have")
		}
		if masked {
			if _, err := netip.ParsePrefix(s); err != nil {
				return wrong("the number after / is not a prefix length of an %s address", family)
			}
		}
		return nil
	})
}

// macAddress is the address of a network card.
var macAddress = scalar(
	func(v cty.Value) (string, *mistake) {
		s, m := plainText(v)
		if m != nil {
			return "", m
		}
		hw, err := address.ParseMAC(s)
		switch {
		case err != nil:
			return "", wrong("must be six bytes, such as \"02:00:00:12:34:56\"")
		case hw[0]&1 == 1:
			hw[0] &^= 1
			return "", wrong("a network card cannot have a multicast address").but("the lowest bit of the first byte is 0: did you mean %q?", hw.String())
		case hw == address.MAC{}:
			return "", wrong("not the address of a network card").but("leave out mac to have one made from the names of the cell and the nic")
		}
		return hw.String(), nil
	},
	cty.StringVal,
)

// pciAddress is the address of a device as bhyve(8) takes it.
var pciAddress = text(func(s string) *mistake {
	parts := strings.Split(s, "/")
	high := []int{255, 31, 7}
	if len(parts) == 3 {
		for i, p := range parts {
			n, err := strconv.Atoi(p)
			if err != nil || n < 0 || n > high[i] || p != strconv.Itoa(n) {
				return wrong("bus, slot and function must be numbers up to 255, 31 and 7")
			}
		}
		return nil
	}
	m := wrong("must be \"bus/slot/function\", such as \"3/0/0\"")
	rest := strings.TrimPrefix(s, "pci")
	if p := strings.Split(rest, ":"); len(p) >= 4 && rest != s {
		// As pciconf(8) names it: pci0:3:0:0.
		m.but("did you mean %q?", p[1]+"/"+p[2]+"/"+p[3])
	}
	return m
})
