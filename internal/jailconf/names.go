package jailconf

import (
	"slices"
	"strconv"
	"strings"
)

// own lists the parameters that jail(8) keeps to itself (intparams in
// usr.sbin/jail/config.c), and those of the kernel's that it also looks at.
var own = strings.Fields(`allow.dying command depend exec.clean exec.consolelog exec.created exec.fib exec.jail_user
	exec.poststart exec.poststop exec.prepare exec.prestart exec.prestop exec.release exec.start exec.stop
	exec.system_jail_user exec.system_user exec.timeout interface ip_hostname mount mount.devfs mount.fdescfs
	mount.fstab mount.procfs stop.timeout vnet.interface zfs.dataset`)

var watched = strings.Fields(`allow.chflags allow.mount allow.raw_sockets allow.set_hostname allow.socket_af allow.sysvipc
	devfs_ruleset host.hostname ip4.addr ip6.addr jid name path persist securelevel vnet`)

// IsOwn says whether a name means something to jail(8) itself.
func IsOwn(name string) bool {
	same := func(n string) bool { return sameOption(n, name) }
	return slices.ContainsFunc(own, same) || slices.ContainsFunc(watched, same)
}

// sameOption says whether two names are one parameter: equal, or one with "no"
// before one of its parts, as persist and nopersist, mount.devfs and
// mount.nodevfs.
func sameOption(a, b string) bool {
	if a == b {
		return true
	}
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(as) && i < len(bs); i++ {
		if as[i] != bs[i] {
			return (as[i] == "no"+bs[i] || bs[i] == "no"+as[i]) && slices.Equal(as[i+1:], bs[i+1:])
		}
	}
	return false
}

// wildMatch says whether a wildcard section applies to a jail. A star in the
// middle is one part of the name, at the end it is one or more.
func wildMatch(wild, name string) bool {
	ws, ns := strings.Split(wild, "."), strings.Split(name, ".")
	for i, w := range ws {
		last := i == len(ws)-1
		if i >= len(ns) || w != "*" && w != ns[i] {
			return false
		}
		if last {
			return w == "*" || i == len(ns)-1
		}
	}
	return false
}

// Find returns a parameter by its name, whichever form it has.
func (j *Jail) Find(name string) (Param, bool) {
	for _, p := range j.Params {
		if sameOption(p.Name, name) {
			return p, true
		}
	}
	return Param{}, false
}

// Value is the last value of a parameter, which is the one that counts where
// only one can.
func (j *Jail) Value(name string) (string, bool) {
	p, ok := j.Find(name)
	if !ok || len(p.Values) == 0 {
		return "", false
	}
	return p.Values[len(p.Values)-1], true
}

// Bool says whether a boolean is on.
func (j *Jail) Bool(name string) bool {
	p, ok := j.Find(name)
	return ok && p.Bool()
}

// Bool says whether the parameter, taken for a boolean, is on: it is named, or
// it is true or a number other than 0; with "no" before its last part it is the
// other way round.
func (p Param) Bool() bool {
	on := len(p.Values) == 0
	if !on {
		v := p.Values[len(p.Values)-1]
		n, _ := strconv.Atoi(v)
		on = strings.EqualFold(v, "true") || n != 0
	}
	last := p.Name[strings.LastIndexByte(p.Name, '.')+1:]
	return on != strings.HasPrefix(last, "no")
}
