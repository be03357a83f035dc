// Package jailparam writes the parameters of a FreeBSD jail in the three forms
// that take them: the bytes of jail_set(2), the text of jail.conf(5), and the
// arguments of jail(8).
//
// It is pure. What it writes for the kernel is what libjail's jailparam_set
// would have passed, so that a jail made here and one made by jail(8) from the
// printed text are the same jail.
package jailparam

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Sys is the value of a parameter such as ip4 or vnet: does the jail have none
// of it, one of its own, or its parent's (JAIL_SYS_* in sys/sys/jail.h)?
type Sys int32

// The values of Sys.
const (
	Disable Sys = 0
	New     Sys = 1
	Inherit Sys = 2
)

func (s Sys) String() string {
	switch s {
	case Disable:
		return "disable"
	case New:
		return "new"
	case Inherit:
		return "inherit"
	}
	return strconv.Itoa(int(s))
}

type kind int

const (
	kindString kind = iota
	kindBool
	kindInt
	kindSys
	kindIP4
	kindIP6
	kindOwn
)

// Param is one parameter. The functions below make it; the zero Param is not
// valid.
type Param struct {
	Name  string
	kind  kind
	text  string
	num   int32
	on    bool
	addrs []netip.Addr
	texts []string
}

// String is a parameter with a text: name, path, host.hostname.
func String(name, value string) Param { return Param{Name: name, kind: kindString, text: value} }

// Bool is a parameter that is there or not: persist, allow.vmm.
func Bool(name string, on bool) Param { return Param{Name: name, kind: kindBool, on: on} }

// Int is a parameter with a number: securelevel, children.max, devfs_ruleset.
func Int(name string, n int32) Param { return Param{Name: name, kind: kindInt, num: n} }

// System is ip4, ip6, host, vnet and their like.
func System(name string, s Sys) Param { return Param{Name: name, kind: kindSys, num: int32(s)} }

// IP4 is ip4.addr: the only IPv4 addresses that the jail may use.
func IP4(addrs ...netip.Addr) Param { return Param{Name: "ip4.addr", kind: kindIP4, addrs: addrs} }

// IP6 is ip6.addr.
func IP6(addrs ...netip.Addr) Param { return Param{Name: "ip6.addr", kind: kindIP6, addrs: addrs} }

// Own is a parameter of jail(8) itself, such as exec.start or mount.devfs,
// that the kernel does not know. Without a value it is a boolean that is on.
func Own(name string, values ...string) Param { return Param{Name: name, kind: kindOwn, texts: values} }

// Kernel leaves out the parameters that are jail(8)'s own.
func Kernel(params []Param) []Param {
	var kept []Param
	for _, p := range params {
		if p.kind != kindOwn {
			kept = append(kept, p)
		}
	}
	return kept
}

// check finds what the kernel would refuse, or worse, take for something else.
func (p Param) check() error {
	if p.Name == "" || strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") != "" ||
		strings.HasPrefix(p.Name, ".") || strings.HasSuffix(p.Name, ".") {
		return fmt.Errorf("%q is not the name of a jail parameter", p.Name)
	}
	for _, s := range append(p.texts, p.text) {
		if strings.IndexByte(s, 0) >= 0 {
			return fmt.Errorf("jail parameter %s: a NUL would end its value early", p.Name)
		}
	}
	for _, a := range p.addrs {
		if a.Zone() != "" || !a.IsValid() || p.kind == kindIP4 && !a.Is4() || p.kind == kindIP6 && !a.Is6() || a.Is4In6() {
			return fmt.Errorf("jail parameter %s: %v is not an address for it", p.Name, a)
		}
	}
	if p.kind == kindSys && (p.num < int32(Disable) || p.num > int32(Inherit)) {
		return fmt.Errorf("jail parameter %s: %d is none of disable, new, inherit", p.Name, p.num)
	}
	return nil
}

// values is what stands after the name in text, and whether anything does.
func (p Param) values() (values []string, some bool) {
	switch p.kind {
	case kindBool:
		return nil, false
	case kindInt:
		return []string{strconv.Itoa(int(p.num))}, true
	case kindSys:
		return []string{Sys(p.num).String()}, true
	case kindIP4, kindIP6:
		for _, a := range p.addrs {
			values = append(values, a.String())
		}
		return values, true
	case kindOwn:
		return p.texts, len(p.texts) > 0
	}
	return []string{p.text}, true
}

// label is the name, in its "no" form for a boolean that is off.
func (p Param) label() string {
	if p.kind == kindBool && !p.on {
		return Negative(p.Name)
	}
	return p.Name
}

// Negative is the name under which a boolean is turned off: "no" goes before
// the last part, as in allow.nosuser and nopersist.
func Negative(name string) string {
	i := strings.LastIndexByte(name, '.') + 1
	return name[:i] + "no" + name[i:]
}

// String is the parameter as an argument of jail(8).
func (p Param) String() string {
	values, some := p.values()
	if !some {
		return p.label()
	}
	return p.Name + "=" + strings.Join(values, ",")
}
