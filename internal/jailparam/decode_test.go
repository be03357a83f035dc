package jailparam

import (
	"net/netip"
	"strings"
	"testing"
)

// What the kernel would give back for a parameter reads as what was set.
func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		known Known
		set   Param
		size  int
	}{
		{Known{Name: Prefix + "securelevel", Kind: ctlInt, Format: "I"}, Int("securelevel", -1), 4},
		{Known{Name: Prefix + "ip4.", Kind: ctlInt, Format: "E,jailsys"}, System("ip4", Disable), 4},
		{Known{Name: Prefix + "vnet", Kind: ctlInt, Format: "E,jailsys"}, System("vnet", New), 4},
		{Known{Name: Prefix + "path", Kind: ctlString, Format: "A", Length: 1024}, String("path", "/a b"), 1024},
		{Known{Name: Prefix + "ip4.addr", Kind: ctlStruct, Format: "S,in_addr,a", Length: 4}, IP4(netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.0.0.1")), 0},
		{Known{Name: Prefix + "ip6.addr", Kind: ctlStruct, Format: "S,in6_addr,a", Length: 16}, IP6(netip.MustParseAddr("2001:db8::7")), 0},
	} {
		if got := tt.known.Decode(tt.set.bytes()); got != tt.set.Value() || tt.known.Param() != tt.set.Name || tt.known.Size() != tt.size {
			t.Errorf("%s: %q, %q, %d; want %q, %d", tt.set.Name, tt.known.Param(), got, tt.known.Size(), tt.set.Value(), tt.size)
		}
	}
	// A boolean is set by its name alone and read as a number.
	b := Known{Name: Prefix + "allow.mount.", Kind: ctlInt, Format: "B"}
	for on, value := range map[bool][]byte{true: {1, 0, 0, 0}, false: {0, 0, 0, 0}} {
		if got := b.Decode(value); got != Bool("allow.mount", on).Value() || b.Param() != "allow.mount" {
			t.Errorf("%v: %q", on, got)
		}
	}
	if got := (Known{Kind: ctlUlong, Format: "LU"}).Decode([]byte{1, 0, 0, 0, 0, 0, 0, 0}); got != "1" {
		t.Errorf("a long is %q", got)
	}
	if got := (Known{Kind: 9}).Decode([]byte{0xab, 1}); got != "ab01" {
		t.Errorf("what is not understood is %q", got)
	}
}

// No value is too short to be read.
func FuzzDecode(f *testing.F) {
	f.Add(2, "B", []byte{1})
	f.Add(5, "S,in_addr,a", []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, kind int, format string, b []byte) {
		if s := (Known{Kind: kind, Format: format}).Decode(b); strings.Contains(s, "\x00") {
			t.Errorf("%q", s)
		}
	})
}
