package plan

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"skep/internal/address"
	"skep/internal/cell"
)

// Directory is a directory in the run directory that only skep may enter.
type Directory struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"` // permission bits
}

// Kind implements Spec.
func (*Directory) Kind() Kind { return KindDirectory }

// Take implements Spec.
func (d *Directory) Take() []string {
	return []string{command("mkdir", "-p", "-m", fmt.Sprintf("%04o", d.Mode), d.Path)}
}

// Release implements Spec.
func (d *Directory) Release() []string { return []string{command("rmdir", d.Path)} }

// Slot is the number of a running cell; uid, ruleset and tap names follow from
// it. The file holds the cell's name and is made with O_EXCL.
type Slot struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	File   string `json:"file"`
	UID    int    `json:"uid"` // -1 where the host gives no uid of its own
	GID    int    `json:"gid"`
}

// Kind implements Spec.
func (*Slot) Kind() Kind { return KindSlot }

// Take implements Spec.
func (s *Slot) Take() []string {
	return []string{"set -C; " + writes(s.Name, s.File)}
}

// Release implements Spec.
func (s *Slot) Release() []string { return []string{command("rm", s.File)} }

// Setting is one value in a kernel file below a cgroup directory.
type Setting struct {
	File  string `json:"file"`
	Value string `json:"value"`
}

// Optional says whether a kernel may be built, or booted, without the file; what
// it does is not a layer of its own.
func (s Setting) Optional() bool {
	switch s.File {
	case "memory.swap.max", "memory.memsw.limit_in_bytes", "memory.oom.group":
		return true
	}
	return false
}

// Cgroup is the cell's own control group in one tree: the v2 tree, or one v1
// controller's.
type Cgroup struct {
	Tree   string    `json:"tree"` // "v2", or a v1 controller: "memory", "pids", "cpu"
	Path   string    `json:"path"`
	Limits []Setting `json:"limits,omitempty"`
	// Below is the group that the cell's is below on purpose: a job's, whose limits and accounting it is in.
	Below string `json:"below,omitempty"`
}

// Kind implements Spec.
func (*Cgroup) Kind() Kind { return KindCgroup }

// Take implements Spec.
func (c *Cgroup) Take() []string {
	lines := []string{command("mkdir", c.Path)}
	if c.Tree == "v2" && len(c.Limits) > 0 {
		// Where they are not handed down already.
		base := path.Dir(c.Path)
		for _, dir := range []string{path.Dir(base), base} {
			lines = append(lines, writes("+"+strings.Join(c.Controllers(), " +"), dir+"/cgroup.subtree_control"))
		}
	}
	for _, s := range c.Limits {
		lines = append(lines, writes(s.Value, c.Path+"/"+s.File))
	}
	return lines
}

// Controllers are those that the limits belong to.
func (c *Cgroup) Controllers() []string {
	var all []string
	for _, s := range c.Limits {
		name, _, _ := strings.Cut(s.File, ".")
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Release implements Spec.
func (c *Cgroup) Release() []string { return []string{command("rmdir", c.Path)} }

// Bridge is a bridge of the host. The admin's is only looked for; one of ours
// is made when it is missing and goes when its last tap goes.
type Bridge struct {
	OS     string `json:"os"`
	Name   string `json:"name"`
	Create bool   `json:"create,omitempty"`
	Uplink string `json:"uplink,omitempty"`
	// VLANs: it tells them apart, where it is made.
	VLANs bool `json:"vlans,omitempty"`
	// Tag marks a bridge as made by skep.
	Tag string `json:"tag,omitempty"`
}

// Kind implements Spec.
func (*Bridge) Kind() Kind { return KindBridge }

// Take implements Spec.
func (b *Bridge) Take() []string {
	if b.OS == "freebsd" {
		return b.takeFreeBSD()
	}
	if !b.Create {
		return []string{command("ip", "link", "show", "type", "bridge", "dev", b.Name)}
	}
	add := []string{"ip", "link", "add", b.Name, "type", "bridge"}
	if b.VLANs {
		add = append(add, "vlan_filtering", "1")
	}
	lines := []string{
		command(add...),
		command("ip", "link", "set", b.Name, "alias", b.Tag),
	}
	if b.Uplink != "" {
		lines = append(lines, command("ip", "link", "set", b.Uplink, "master", b.Name))
	}
	return append(lines, command("ip", "link", "set", b.Name, "up"))
}

func (b *Bridge) takeFreeBSD() []string {
	if !b.Create {
		return []string{command("ifconfig", b.Name)}
	}
	lines := []string{command("ifconfig", b.Name, "create", "description", b.Tag)}
	if b.Uplink != "" {
		lines = append(lines, command("ifconfig", b.Name, "addm", b.Uplink))
	}
	return append(lines, command("ifconfig", b.Name, "up"))
}

// Release implements Spec.
func (b *Bridge) Release() []string {
	switch {
	case !b.Create:
		return nil
	case b.OS == "freebsd":
		return []string{command("ifconfig", b.Name, "destroy")}
	}
	return []string{command("ip", "link", "delete", b.Name)}
}

// Tap is a tap(4) interface of the guest's network card. The admin's own is
// opened and left as it is.
type Tap struct {
	OS     string `json:"os"`
	Label  string `json:"label"`
	Name   string `json:"name"`
	Bridge string `json:"bridge,omitempty"`
	Admin  bool   `json:"admin,omitempty"` // the cell file names a tap of the admin's
	// MAC is the address of the guest's card; the tap has one of its own.
	MAC string `json:"mac,omitempty"`
	// Claim is the file that says that no other card on the bridge has this address.
	Claim string `json:"claim,omitempty"`
	// Tag marks a tap as ours: interface alias on Linux, description on FreeBSD.
	Tag string `json:"tag,omitempty"`
	// Stack is the jail whose network stack it is in, on FreeBSD, where its card is on a network in user space.
	Stack string `json:"stack,omitempty"`
	// VLAN is the one that it is in on its bridge, 0 for the bridge's own; Isolated has it hear no other isolated one.
	VLAN     int  `json:"vlan,omitempty"`
	Isolated bool `json:"isolated,omitempty"`
	// RateIn and RateOut are bytes a second, to the guest and from it.
	RateIn  cell.Size `json:"rate_in,omitempty"`
	RateOut cell.Size `json:"rate_out,omitempty"`
}

// Kind implements Spec.
func (*Tap) Kind() Kind { return KindTap }

// Take implements Spec.
func (t *Tap) Take() []string {
	switch {
	case t.Admin && t.OS == "freebsd":
		return []string{command("ifconfig", t.Name)}
	case t.Admin:
		return []string{command("ip", "link", "show", "dev", t.Name)}
	case t.Stack != "":
		return []string{command("ifconfig", t.Name, "create", "description", t.Tag), command("ifconfig", t.Name, "vnet", t.Stack),
			command("ifconfig", "-j", t.Stack, t.Name, "up")}
	case t.OS == "freebsd":
		lines := []string{
			command("ifconfig", t.Name, "create", "description", t.Tag),
			command("ifconfig", t.Name, "mtu") + ` "$(` + command("ifconfig", t.Bridge) + ` | sed -n '1s/.* mtu //p')"`,
			command("ifconfig", t.Bridge, "addm", t.Name),
		}
		if t.Isolated {
			lines = append(lines, command("ifconfig", t.Bridge, "private", t.Name))
		}
		return append(lines, command("ifconfig", t.Name, "up"))
	}
	lines := []string{
		command("ip", "tuntap", "add", "dev", t.Name, "mode", "tap", "vnet_hdr"),
		command("ip", "link", "set", t.Name, "alias", t.Tag),
		command("ip", "link", "set", t.Name, "mtu") + ` "$(cat ` + quote("/sys/class/net/"+t.Bridge+"/mtu") + `)"`,
		command("ip", "link", "set", t.Name, "master", t.Bridge),
	}
	lines = append(append(lines, t.port()...), command("ip", "link", "set", t.Name, "up"))
	if t.Claim != "" {
		lines = append(lines, "set -C; "+writes(t.Name, t.Claim))
	}
	return lines
}

// port is what is done with what passes on it, on Linux.
func (t *Tap) port() (lines []string) {
	if t.VLAN > 0 {
		lines = append(lines, command("bridge", "vlan", "del", "dev", t.Name, "vid", "1"),
			command("bridge", "vlan", "add", "dev", t.Name, "vid", strconv.Itoa(t.VLAN), "pvid", "untagged"))
	}
	if t.Isolated {
		lines = append(lines, command("bridge", "link", "set", "dev", t.Name, "isolated", "on"))
	}
	rate := func(s cell.Size) string { return strconv.FormatInt(int64(s), 10) + "bps" }
	if t.RateIn > 0 {
		lines = append(lines, command("tc", "qdisc", "add", "dev", t.Name, "root", "tbf", "rate", rate(t.RateIn), "burst", "128k", "latency", "50ms"))
	}
	if t.RateOut > 0 {
		lines = append(lines, command("tc", "qdisc", "add", "dev", t.Name, "ingress"),
			command("tc", "filter", "add", "dev", t.Name, "ingress", "matchall", "action", "police", "rate", rate(t.RateOut), "burst", "128k", "drop"))
	}
	return lines
}

// Release implements Spec.
func (t *Tap) Release() []string {
	switch {
	case t.Admin:
		return nil
	case t.Stack != "":
		return []string{command("ifconfig", t.Name, "-vnet", t.Stack), command("ifconfig", t.Name, "destroy")}
	case t.OS == "freebsd":
		return []string{command("ifconfig", t.Name, "destroy")}
	}
	if t.Claim != "" {
		return []string{command("ip", "link", "delete", t.Name), command("rm", t.Claim)}
	}
	return []string{command("ip", "link", "delete", t.Name)}
}

// The kinds of disks.
const (
	DiskFile   DiskKind = "file"
	DiskZvol   DiskKind = "zvol"
	DiskISO    DiskKind = "iso"
	DiskDevice DiskKind = "device"
	DiskBase   DiskKind = "base" // a file that a layer lies on
)

// Log is a log that stays after the cell and is kept below a size.
type Log struct {
	Name string    `json:"name"` // "console-log" or "hypervisor-log"
	Path string    `json:"path"`
	Max  cell.Size `json:"max"` // bytes
}

// Kind implements Spec.
func (*Log) Kind() Kind { return KindLog }

// Take implements Spec.
func (l *Log) Take() []string { return []string{": >> " + quote(l.Path)} }

// Release implements Spec.
func (*Log) Release() []string { return nil }

// Socket is a listening socket: a UNIX one in the cell's run directory, or on a
// TCP address.
type Socket struct {
	Name   string `json:"name"`           // "qmp", "console", "control", "gdb"
	Path   string `json:"path,omitempty"` // or
	Listen string `json:"listen,omitempty"`
}

// Kind implements Spec.
func (*Socket) Kind() Kind { return KindSocket }

// Take implements Spec.
func (s *Socket) Take() []string {
	if host, port, err := address.SplitPort(s.Listen); err == nil {
		return []string{command("nc", "-l", host, port) + " &"}
	}
	return []string{command("nc", "-lU", s.Path) + " &"}
}

// Release implements Spec.
func (s *Socket) Release() []string {
	if s.Path == "" {
		return nil // it goes with its holders
	}
	return []string{command("rm", s.Path)}
}

// Screen is where viewers of the guest's frame buffer connect: a TCP address,
// or a UNIX socket that no network sees.
type Screen struct {
	Listen       string `json:"listen,omitempty"` // "host:port", or
	Path         string `json:"path,omitempty"`   // the UNIX socket
	PasswordFile string `json:"password_file,omitempty"`
}

// Kind implements Spec.
func (*Screen) Kind() Kind { return KindScreen }

// Take implements Spec.
func (s *Screen) Take() []string {
	if s.Path != "" {
		return []string{command("nc", "-lkU", s.Path) + " &"}
	}
	host, port := splitListen(s.Listen)
	return []string{command("nc", "-lk", host, port) + " &"}
}

// Release implements Spec.
func (s *Screen) Release() []string {
	if s.Path != "" {
		return []string{command("rm", s.Path)}
	}
	return nil
}
