package broker

import (
	"net/netip"
	"testing"

	"skep/internal/address"
)

func rules(t *testing.T, all ...string) (out []address.Rule) {
	t.Helper()
	for _, s := range all {
		r, err := address.ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// What is not allowed is refused, and no name and no larger network leads to the host or its neighbours.
func TestPolicy(t *testing.T) {
	p := NewPolicy(rules(t, "deb.example:443", "*.below.example:*", "192.0.2.0/24:53/udp", "0.0.0.0/0:8080", "10.9.0.7:22", "evil.example:443"),
		[]netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")})
	for name, want := range map[string]bool{"deb.example": true, "DEB.example.": true, "x.below.example": true, "below.example": false, "other.example": false, "192.0.2.1": false} {
		if p.Asks(name) != want {
			t.Errorf("%s may be asked for: %v", name, !want)
		}
	}
	led := func(name string, a ...string) (n int) {
		var all []netip.Addr
		for _, s := range a {
			all = append(all, netip.MustParseAddr(s))
		}
		return len(p.Led(name, all))
	}
	if led("deb.example", "203.0.113.1", "127.0.0.1", "169.254.169.254", "198.51.100.9", "10.0.0.1", "::1", "::ffff:127.0.0.1") != 1 {
		t.Error("a name has led to the host, a neighbour or a cloud's addresses")
	}
	led("x.below.example", "203.0.113.2")
	for to, want := range map[string]bool{
		"203.0.113.1:443": true, "203.0.113.1:80": false, "203.0.113.2:443": true, "203.0.113.2:1": true, "203.0.113.3:443": false,
		"192.0.2.9:53": false, "203.0.113.9:8080": true, "127.0.0.1:8080": false, "169.254.169.254:8080": false, "198.51.100.3:8080": false,
		"10.9.0.7:22": true, "10.9.0.8:22": false, "10.9.0.7:23": false, "0.0.0.0:8080": false, "255.255.255.255:8080": false,
	} {
		if got := p.Allows(false, netip.MustParseAddrPort(to)); (got == "") != want {
			t.Errorf("%s: %q", to, got)
		}
	}
	if p.Allows(true, netip.MustParseAddrPort("192.0.2.9:53")) != "" || p.Allows(true, netip.MustParseAddrPort("203.0.113.1:443")) == "" {
		t.Error("UDP and TCP are one")
	}
}

func TestRules(t *testing.T) {
	for _, bad := range []string{"", ":1", "a", "a:", "a:0", "a:65536", "a:http", "a b:1", "a..b:1", "192.0.2.1/24:1", "[::1]:1", "::1:1", "*:1", "a:1/sctp"} {
		if r, err := address.ParseRule(bad); err == nil {
			t.Errorf("%q is %+v", bad, r)
		}
	}
}
