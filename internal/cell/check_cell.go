package cell

import (
	"fmt"
	"net/netip"
	"strings"
)

// checkTwice reports what two blocks of a cell cannot share.
func checkTwice(r *reader, c *Cell) {
	used := map[string]string{}
	once := func(at, attr, value, owner string) {
		if value == "" {
			return
		}
		key := attr + "\x00" + value
		if strings.HasPrefix(value, "/") {
			key = value // a path is the same whatever attribute names it
		}
		if first, twice := used[key]; twice {
			r.at(at, attr, wrong("already used by %s on line %d", owner, r.places[first].Start.Line))
			return
		}
		used[key] = at
	}
	for _, d := range c.Disks {
		p := "disk." + d.Label + "."
		once(p+"zvol", "zvol", d.Zvol, "another disk")
		once(p+"file", "file", d.File, "another disk")
		once(p+"iso", "iso", d.ISO, "another disk")
		once(p+"device", "device", d.Device, "another disk")
		if d.Base != "" {
			if first, written := used[d.Base]; written {
				r.at(p+"base", "base", wrong("already used by another disk on line %d, which may write to it", r.places[first].Start.Line))
			}
		}
	}
	checkLabels(r, c)
	for _, n := range c.NICs {
		once("nic."+n.Label+".mac", "mac", n.MAC, "another nic")
		once("nic."+n.Label+".tap", "tap", n.Tap, "another nic")
	}
	for _, p := range c.Passthru {
		once("passthru."+p.Label+".pci", "pci", p.PCI, "another passthru")
	}
	for _, b := range c.Bridges {
		once("bridge."+b.Name+".uplink", "uplink", b.Uplink, "another bridge")
	}
	if c.Screen != nil {
		once("screen.listen", "listen", c.Screen.Listen, "the screen")
	}
	if c.GDB != nil {
		once("gdb.listen", "listen", c.GDB.Listen, "the screen")
	}
}

// checkBridges reports a bridge that no card of the cell is on: most likely one
// of the two names is misspelt.
func checkBridges(r *reader, c *Cell) {
	var used []string
	for _, n := range c.NICs {
		if n.Bridge == "" && n.Tap == "" && n.Network == "" {
			return // a nic whose own mistake was reported
		}
		if n.Bridge != "" {
			used = append(used, n.Bridge)
		}
	}
	for _, b := range c.Bridges {
		on := false
		for _, u := range used {
			on = on || u == b.Name
		}
		if !on {
			m := wrong("no nic of this cell uses it")
			if s := closest(b.Name, used); s != "" {
				m.but("did you mean %q?", s)
			}
			r.at("bridge."+b.Name, fmt.Sprintf("bridge %q", b.Name), m)
		}
	}
}

// checkListen sees to it that what listens in a jail with shared addresses
// names one of them. Anything else would be turned into one of them by the
// kernel: 127.0.0.1 in such a jail is the jail's first address, for the whole
// network to see.
func checkListen(r *reader, c *Cell) {
	if c.Jail.Network != NetworkShared || r.bad("jail.ip4") || r.bad("jail.ip6") {
		return
	}
	var own []string
	for _, a := range append(append([]string{}, c.Jail.IP4...), c.Jail.IP6...) {
		host, _, _ := strings.Cut(a, "/")
		own = append(own, netip.MustParseAddr(host).String())
	}
	check := func(at, listen string) {
		ap, err := netip.ParseAddrPort(listen)
		if err != nil || len(own) == 0 {
			return
		}
		for _, a := range own {
			if a == ap.Addr().String() {
				return
			}
		}
		m := wrong("the jail only has the address %s", enumerate(own, "and"))
		r.at(at, "listen "+r.text(r.places[at]), m.but("did you mean %q?", netip.AddrPortFrom(netip.MustParseAddr(own[0]), ap.Port())))
	}
	if c.Screen != nil {
		check("screen.listen", c.Screen.Listen)
	}
	if c.GDB != nil {
		check("gdb.listen", c.GDB.Listen)
	}
}

// checkLimits reports limits under which no hypervisor would get as far as its
// first instruction.
func checkLimits(r *reader, c *Cell) {
	const at = "jail.limits.processes"
	if least := c.CPUs + 8; r.said(at) && !r.bad(at) && !r.bad("cpus") && c.Jail.Limits.Processes < least {
		r.at(at, "processes "+r.text(r.places[at]), wrong("a hypervisor with %d cpus needs at least %d", c.CPUs, least).
			but("leave it out to get %d", defaultProcesses(c)))
	}
}
