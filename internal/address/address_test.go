package address

import (
	"net"
	"testing"
)

// What net reads, this reads, and to the same; what net refuses, this refuses.
func TestAsNet(t *testing.T) {
	for _, s := range []string{"", ":", "a", "a:", ":1", "a:1", "1.2.3.4:5900", "::1", "::1:5900", "[::1]:5900", "[::1]", "[::1:5900",
		"::1]:5900", "[[::1]]:1", "a:b:1", "[a]b:1", "localhost:http", "[fe80::1%em0]:1", "a:[1]"} {
		host, port, err := net.SplitHostPort(s)
		h, p, e := SplitPort(s)
		if (err == nil) != (e == nil) || err == nil && (h != host || p != port) {
			t.Errorf("%q is %q %q %v; net: %q %q %v", s, h, p, e, host, port, err)
		}
		if err == nil && JoinPort(h, p) != net.JoinHostPort(host, port) {
			t.Errorf("%q is joined to %q", s, JoinPort(h, p))
		}
	}
	for _, s := range []string{"", "02:00:00:12:34:56", "02-00-00-AB-CD-EF", "0200.00ab.cdef", "02:00:00:12:34", "02:00:00:12:34:5g", "02:00-00:12:34:56",
		"2:0:0:12:34:56", "020000123456", "0200.00ab-cdef", "02:00:00:12:34:56 "} {
		hw, err := net.ParseMAC(s)
		m, e := ParseMAC(s)
		if (err == nil) != (e == nil) || err == nil && m.String() != hw.String() {
			t.Errorf("%q is %q %v; net: %q %v", s, m, e, hw, err)
		}
	}
}
