package jailparam

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// Types of sysctl(9) that parameters have, CTLTYPE_* in sys/sys/sysctl.h.
const (
	ctlInt    = 2
	ctlString = 3
	ctlStruct = 5
	ctlUint   = 6
	ctlLong   = 7
	ctlUlong  = 8
)

// Known is a parameter that this kernel knows, as its sysctl describes it:
// security.jail.param.NAME.
type Known struct {
	Name   string
	Kind   int    // CTLTYPE_*
	Format string // "B" a boolean, "E,jailsys", "S,in_addr,a" an array of addresses
	Length int    // of a string or a structure, bytes, as the sysctl's value says
}

// Prefix is where the kernel describes the parameters that it knows.
const Prefix = "security.jail.param."

// Param is the name as jail_get(2) takes it. What has parameters below it and
// is one itself ends in a dot there (SYSCTL_JAIL_PARAM_SYS_NODE in
// sys/sys/jail.h).
func (k Known) Param() string { return strings.TrimSuffix(strings.TrimPrefix(k.Name, Prefix), ".") }

// Array says whether the value is a list, whose length jail_get(2) has to be
// asked for.
func (k Known) Array() bool { return strings.HasSuffix(k.Format, ",a") }

// Size is how many bytes a value takes, 0 for an array and for what is not
// understood here.
func (k Known) Size() int {
	switch k.Kind {
	case ctlInt, ctlUint:
		return 4
	case ctlLong, ctlUlong:
		return 8
	case ctlString:
		return k.Length
	case ctlStruct:
		if !k.Array() {
			return k.Length
		}
	}
	return 0
}

// Decode writes a value that jail_get(2) gave as Value writes that of a Param.
// What is not understood is hexadecimal.
func (k Known) Decode(b []byte) string {
	switch {
	case (k.Kind == ctlInt || k.Kind == ctlUint) && len(b) >= 4:
		n := int32(binary.NativeEndian.Uint32(b))
		switch {
		case strings.HasPrefix(k.Format, "B"):
			return strconv.FormatBool(n != 0)
		case k.Format == "E,jailsys":
			return Sys(n).String()
		}
		return strconv.Itoa(int(n))
	case (k.Kind == ctlLong || k.Kind == ctlUlong) && len(b) >= 8:
		return strconv.FormatInt(int64(binary.NativeEndian.Uint64(b)), 10)
	case k.Kind == ctlString:
		s, _, _ := strings.Cut(string(b), "\x00")
		return s
	case strings.HasPrefix(k.Format, "S,in_addr"):
		return addresses(b, 4)
	case strings.HasPrefix(k.Format, "S,in6_addr"):
		return addresses(b, 16)
	}
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&0xf])
	}
	return s.String()
}

func addresses(b []byte, size int) string {
	var all []string
	for ; len(b) >= size; b = b[size:] {
		a, _ := netip.AddrFromSlice(b[:size])
		all = append(all, a.String())
	}
	return strings.Join(all, ",")
}

// Value is the value alone, as text: "true", "3", "disable", "192.0.2.1,…".
func (p Param) Value() string {
	if p.kind == kindBool {
		return strconv.FormatBool(p.on)
	}
	values, _ := p.values()
	return strings.Join(values, ",")
}
