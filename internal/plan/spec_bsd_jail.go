package plan

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"skep/internal/cell"
	"skep/internal/jailparam"
)

// Prison is the jail of a cell on FreeBSD.
type Prison struct {
	Name        string       `json:"name"`
	Path        string       `json:"path"`
	Hostname    string       `json:"hostname"`
	Ruleset     int          `json:"ruleset"`
	Network     cell.Network `json:"network"`
	IP4         []string     `json:"ip4,omitempty"`
	IP6         []string     `json:"ip6,omitempty"`
	Suser       bool         `json:"suser"` // root is root in it, until its rootfs is empty
	SecureLevel int          `json:"securelevel"`
}

// Kind implements Spec.
func (*Prison) Kind() Kind { return KindPrison }

// refused are the permissions that a jail has by default, or that an old
// security.jail.* setting of the host would give it.
var refused = []string{
	"set_hostname", "sysvipc", "raw_sockets", "chflags", "mount", "quotas", "socket_af",
	"mlock", "reserved_ports", "read_msgbuf", "unprivileged_proc_debug",
}

// Params are its parameters, in the order of jail(8)'s manual page.
func (p *Prison) Params() []jailparam.Param {
	params := []jailparam.Param{
		jailparam.String("name", p.Name),
		jailparam.String("path", p.Path),
		jailparam.String("host.hostname", p.Hostname),
	}
	switch p.Network {
	case cell.NetworkVnet:
		params = append(params, jailparam.System("vnet", jailparam.New))
	case cell.NetworkShared:
		params = append(params, family("ip4", jailparam.IP4, p.IP4), family("ip6", jailparam.IP6, p.IP6))
	default:
		params = append(params, jailparam.System("ip4", jailparam.Disable), jailparam.System("ip6", jailparam.Disable))
	}
	params = append(params,
		jailparam.Int("securelevel", int32(p.SecureLevel)),
		jailparam.Int("devfs_ruleset", int32(p.Ruleset)),
		jailparam.Int("children.max", 0),
		jailparam.Int("enforce_statfs", 2),
		jailparam.Bool("persist", true),
		jailparam.Bool("allow.vmm", true),
		jailparam.Bool("allow.suser", p.Suser),
	)
	for _, name := range refused {
		params = append(params, jailparam.Bool("allow."+name, false))
	}
	return params
}

// family is the addresses of one family, or none of it at all.
func family(name string, some func(...netip.Addr) jailparam.Param, texts []string) jailparam.Param {
	var addrs []netip.Addr
	for _, s := range texts {
		ip, _, _ := strings.Cut(s, "/")
		if a, err := netip.ParseAddr(ip); err == nil {
			addrs = append(addrs, a)
		}
	}
	if len(addrs) == 0 {
		return jailparam.System(name, jailparam.Disable)
	}
	return some(addrs...)
}

// Take implements Spec.
func (p *Prison) Take() []string {
	argv, err := jailparam.Argv(p.Params())
	if err != nil {
		return []string{"# " + err.Error()}
	}
	return []string{command(argv...)}
}

// Release implements Spec.
func (p *Prison) Release() []string { return []string{command("jail", "-r", p.Name)} }

// Rctl is the limits of the whole jail, rctl(8).
type Rctl struct {
	Jail  string   `json:"jail"`
	Rules []string `json:"rules"`
}

// Kind implements Spec.
func (*Rctl) Kind() Kind { return KindRctl }

// Take implements Spec.
func (r *Rctl) Take() []string {
	var lines []string
	for _, rule := range r.Rules {
		lines = append(lines, command("rctl", "-a", rule))
	}
	return lines
}

// Release implements Spec.
func (r *Rctl) Release() []string { return []string{command("rctl", "-r", "jail:"+r.Jail)} }

// Modem is the null modem of the console, nmdm(4). The pair is made with the
// credentials of whoever opens it first, and is to be the jail's.
type Modem struct {
	Inside  string `json:"inside"`  // bhyve's end
	Outside string `json:"outside"` // the keeper's
}

// Kind implements Spec.
func (*Modem) Kind() Kind { return KindModem }

// Take implements Spec.
func (m *Modem) Take() []string {
	return []string{"# once bhyve has opened " + m.Inside + ":", command("cu", "-l", m.Outside)}
}

// Release implements Spec. The pair goes when both ends are closed.
func (*Modem) Release() []string { return nil }

// VM is the virtual machine itself, in the kernel.
type VM struct {
	Name string `json:"name"`
	// Before: it is made in the jail before bhyve is started there, by way of vmmctl; bhyve finds it.
	Before bool `json:"before,omitempty"`
}

// Kind implements Spec.
func (*VM) Kind() Kind { return KindVM }

// Take implements Spec: who makes it does so under a name that must be free.
func (v *VM) Take() []string {
	lines := []string{command("test", "!", "-e", "/dev/vmm/"+v.Name)}
	if v.Before {
		lines = append(lines, "# as the jail, which has no vmmctl: "+command("bhyvectl", "--vm="+v.Name, "--create"))
	}
	return lines
}

// Release implements Spec.
func (v *VM) Release() []string { return []string{command("bhyvectl", "--vm="+v.Name, "--destroy")} }

// Bhyve is the process that runs the guest.
type Bhyve struct {
	Jail    string   `json:"jail"`
	VM      string   `json:"vm"`
	Path    string   `json:"path"` // in the rootfs
	Argv    []string `json:"argv"`
	Loader  []string `json:"loader,omitempty"` // bhyveload with its path, run before each start
	UID     int      `json:"uid"`
	GID     int      `json:"gid"`
	Rlimits []Rlimit `json:"rlimits"`
	// Bound: the kernel ends it when its keeper ends. Its VM stays in vmm.ko until a sweep.
	Bound bool `json:"bound,omitempty"`
}

// Kind implements Spec.
func (*Bhyve) Kind() Kind { return KindBhyve }

// Take implements Spec.
func (b *Bhyve) Take() []string {
	enter := "env -i"
	for _, m := range []string{"aslr -s enable", "wxmap -s disable", "nonewprivs -s enable", "trace -s disable"} {
		enter += " proccontrol -m " + m
	}
	enter += " limits"
	for _, l := range b.Rlimits {
		flag, ok := limitFlags[l.Name]
		if !ok {
			continue
		}
		value := strconv.FormatUint(l.Value, 10)
		if l.Name == "as" {
			value = fmt.Sprintf("%dk", l.Value>>10)
		}
		enter += " -" + flag + " " + value
	}
	enter += " jexec " + quote(b.Jail) + " "
	var lines []string
	if b.UID != 0 {
		lines = append(lines, fmt.Sprintf("# as user and group %d, which jexec(8) takes no number of", b.UID))
	}
	if b.Bound {
		lines = append(lines, "# procctl(2) PROC_PDEATHSIG_CTL SIGKILL: it ends with its keeper, for which there is no program")
	}
	if len(b.Loader) > 0 {
		lines = append(lines, enter+command(b.Loader...))
	}
	if len(b.Argv) > 0 {
		lines = append(lines, enter+command(append([]string{b.Path}, b.Argv[1:]...)...))
	}
	return lines
}

// limitFlags are limits(1)'s for the names of setrlimit(2).
var limitFlags = map[string]string{"core": "c", "nofile": "n", "as": "v"}

// Release implements Spec.
func (b *Bhyve) Release() []string { return []string{command("pkill", "-KILL", "-j", b.Jail)} }

// Relay carries connections from an address of the host, or a UNIX socket that
// no network sees, to where bhyve listens in a network stack of its own.
type Relay struct {
	Name   string `json:"name"`             // "screen" or "gdb"
	Listen string `json:"listen,omitempty"` // "host:port", or
	Path   string `json:"path,omitempty"`   // the UNIX socket
	Jail   string `json:"jail"`
	Inside string `json:"inside"` // "host:port" in the jail, or "unix:PATH" of the host
}

// Kind implements Spec.
func (*Relay) Kind() Kind { return KindRelay }

// Take implements Spec.
func (r *Relay) Take() []string {
	host, port := splitListen(r.Inside)
	inner := "jexec " + quote(r.Jail) + " nc " + host + " " + port
	if rest, ok := strings.CutPrefix(r.Inside, "unix:"); ok {
		inner = "nc -U " + quote(rest)
	}
	if r.Path != "" {
		return []string{command("nc", "-lkU", r.Path) + " | " + inner + " &"}
	}
	host, port = splitListen(r.Listen)
	return []string{command("nc", "-lk", host, port) + " | " + inner + " &"}
}

// Release implements Spec.
func (r *Relay) Release() []string {
	if r.Path != "" {
		return []string{command("rm", r.Path)}
	}
	return nil
}

// NobodyUID is the user and the group to whom a rootfs's directories go on a host with a securelevel of
// its own: nobody(5), whom no hypervisor runs as.
const NobodyUID = 65534
