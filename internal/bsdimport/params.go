package bsdimport

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"skep/internal/cell"
	"skep/internal/jailconf"
)

// params goes through what jail.conf(5) says of the jail.
func (i *importer) params() {
	for _, p := range i.jail.Params {
		where := p.Pos.String()
		value := ""
		if n := len(p.Values); n > 0 {
			value = p.Values[n-1]
		}
		switch name := positive(p.Name); {
		case slices.Contains(silent, name):
		case name == "ip4.addr" || name == "ip6.addr":
			i.addresses(p)
		case name == "ip4" || name == "ip6":
			if value == "inherit" {
				i.warn(Network, where, "%s = inherit gave the jail every address of the host; name those that the screen needs in jail { network = \"shared\" }", name)
			}
		case name == "vnet":
			if p.Bool() && value != "inherit" || value == "new" {
				i.cell.Jail.Network = cell.NetworkVnet
			}
		case name == "interface":
			i.warn(Network, where, "jail(8) added the address to %s and took it away again; skep uses addresses that the host has: set ifconfig_%s_alias0 in rc.conf", value, value)
		case name == "depend":
			i.after(p)
		case name == "stop.timeout":
			if n, err := strconv.Atoi(value); err == nil && n >= 1 && n <= 3600 {
				i.cell.StopTimeout = time.Duration(n) * time.Second
			}
		case name == "path":
			i.warn(JailSet, where, "%s is not used: the cell's root holds the hypervisor and what it needs, nothing else; jail { root = %q } would take the old tree, which is a relaxation", value, value)
		case name == "children.max" || name == "securelevel" || name == "enforce_statfs":
			i.stricter(name, value, where)
		case strings.HasPrefix(name, "allow."):
			if p.Bool() {
				i.warn(JailSet, where, "%s is off in the new jail: nothing in it needs that", name)
			}
		case strings.HasPrefix(name, "exec.") || name == "command":
			i.warn(JailSet, where, "%s = %q is not carried over: the hypervisor is the only program in the new jail", name, strings.Join(p.Values, "; "))
		case strings.HasPrefix(name, "mount") && !(p.Bool() || value != "" && value != "false" && value != "0"):
		case strings.HasPrefix(name, "mount"):
			i.warn(JailSet, where, "%s is not carried over: nothing of the host's file systems is in the new jail", p.Name)
		default:
			i.warn(JailSet, where, "%s is not carried over", strings.TrimSpace(p.Name+" "+strings.Join(p.Values, ", ")))
		}
	}
	if !i.jail.Bool("allow.vmm") {
		i.warn(JailSet, "", "allow.vmm is not in these files for this jail, and no bhyve runs in one without it: how the old jail came by it is unknown; the new one has it")
	}
	if i.cell.Jail.Network == cell.NetworkVnet && len(i.cell.Jail.IP4)+len(i.cell.Jail.IP6) > 0 {
		i.cell.Jail.IP4, i.cell.Jail.IP6 = nil, nil
		i.warn(Network, "", "a vnet jail has a network of its own: its addresses are left out, as the kernel would refuse them")
	}
}

// silent are parameters that a cell sets for itself, or that say nothing a cell
// would do otherwise.
var silent = strings.Fields(`name jid persist allow.vmm mount.devfs devfs_ruleset host.hostname host exec.clean
	exec.consolelog exec.timeout allow.suser allow.dying`)

// positive is a parameter's name without the "no" that turns a boolean off.
func positive(name string) string {
	i := strings.LastIndexByte(name, '.') + 1
	if rest, ok := strings.CutPrefix(name[i:], "no"); ok && rest != "" {
		return name[:i] + rest
	}
	return name
}

// addresses takes ip4.addr or ip6.addr. A value may carry the interface in
// front and ifconfig(8)'s words behind, which are jail(8)'s to act on.
func (i *importer) addresses(p jailconf.Param) {
	for _, list := range p.Values {
		for v := range strings.SplitSeq(list, ",") {
			iface, addr, ok := strings.Cut(v, "|")
			if !ok {
				iface, addr = "", v
			}
			addr, _, _ = strings.Cut(strings.TrimSpace(addr), " ")
			addr, _, _ = strings.Cut(addr, "/")
			ip, err := netip.ParseAddr(addr)
			if err != nil || ip.Is4() != (positive(p.Name) == "ip4.addr") || ip.Zone() != "" || ip.Is4In6() || ip.IsUnspecified() || ip.IsMulticast() {
				if addr != "" {
					i.warn(Network, p.Pos.String(), "%q is not an address for %s and is left out", v, p.Name)
				}
				continue
			}
			if iface != "" {
				i.warn(Network, p.Pos.String(), "jail(8) added %s to %s; skep uses addresses that the host has: set ifconfig_%s_alias0 in rc.conf", ip, iface, iface)
			}
			into := &i.cell.Jail.IP4
			if ip.Is6() {
				into = &i.cell.Jail.IP6
			}
			if !slices.Contains(*into, ip.String()) {
				*into = append(*into, ip.String())
			}
			if i.cell.Jail.Network == cell.NetworkNone {
				i.cell.Jail.Network = cell.NetworkShared
			}
		}
	}
}

// after takes depend: those jails became cells, or are to become some.
func (i *importer) after(p jailconf.Param) {
	for _, other := range p.Values {
		if cell.ValidName(other) != nil || other == i.cell.Name || slices.Contains(i.cell.After, other) {
			i.warn(JailSet, p.Pos.String(), "depend = %q cannot be said of a cell", other)
			continue
		}
		i.cell.After = append(i.cell.After, other)
		i.warn(JailSet, p.Pos.String(), "after = [%q] means a cell of that name; import that jail as well", other)
	}
}

// stricter speaks of a number that every cell has at its safest.
func (i *importer) stricter(name, value, where string) {
	safe := map[string]string{"children.max": "0", "securelevel": "3", "enforce_statfs": "2"}[name]
	if value != safe {
		i.warn(JailSet, where, "%s was %s and is %s in the new jail", name, value, safe)
	}
}
