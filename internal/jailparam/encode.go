package jailparam

import (
	"encoding/binary"
	"fmt"
)

// ErrorSize is the size of libjail's buffer for the kernel's own words about
// what it did not like (JAIL_ERRMSGLEN in lib/libjail/jail.h).
const ErrorSize = 1024

// Encode is the list of names and values that jail_set(2) takes as its iovec:
// element 2n a name with its NUL, element 2n+1 the value.
//
// A boolean has no value at all and is off under its "no" name. A number is a
// C int in the machine's order, an address is in network order, and an array
// is its elements in a row (jailparam_set in lib/libjail/jail.c; kern_jail_set
// in sys/kern/kern_jail.c).
//
// Append "errmsg" and an empty buffer of ErrorSize to hear from the kernel why
// it refused.
func Encode(params []Param) ([][]byte, error) {
	var iov [][]byte
	seen := map[string]bool{}
	for _, p := range params {
		if err := p.check(); err != nil {
			return nil, err
		}
		if p.kind == kindOwn {
			return nil, fmt.Errorf("jail parameter %s is jail(8)'s own, the kernel does not know it", p.Name)
		}
		if seen[p.Name] {
			return nil, fmt.Errorf("jail parameter %s stands twice", p.Name)
		}
		seen[p.Name] = true
		iov = append(iov, cString(p.label()), p.bytes())
	}
	return iov, nil
}

func (p Param) bytes() []byte {
	switch p.kind {
	case kindBool:
		return nil
	case kindInt, kindSys:
		return binary.NativeEndian.AppendUint32(nil, uint32(p.num))
	case kindIP4, kindIP6:
		b := []byte{}
		for _, a := range p.addrs {
			b = append(b, a.AsSlice()...)
		}
		return b
	}
	return cString(p.text)
}

func cString(s string) []byte { return append([]byte(s), 0) }
