package cell

import (
	"fmt"
	"net/netip"
	"strings"
)

// Relaxation is something in a cell file that makes the jail wider than it would
// be without it, or gives the guest something of the host's. Each is legitimate
// now and then, and none of them goes without saying.
type Relaxation struct {
	Path string `json:"path"` // as in Cell.Sources
	What string `json:"what"`
	Pos  Pos    `json:"pos"` // the zero Pos in a cell without a file
}

// Relaxations lists what the cell file relaxes, in a fixed order.
func (c *Cell) Relaxations() []Relaxation {
	var all []Relaxation
	add := func(path, format string, args ...any) {
		pos, _ := c.Where(path)
		all = append(all, Relaxation{Path: path, What: fmt.Sprintf(format, args...), Pos: pos})
	}
	if l := c.Boot.Loader; l != nil {
		if l.OS != "" {
			add("loader.os", "bhyveload runs the code of %s", l.OS)
		}
		if l.HostPath != "" {
			add("loader.host_path", "what boots the guest reads the host's directory %s", l.HostPath)
		}
	}
	for _, d := range c.Disks {
		if d.Device != "" {
			add("disk."+d.Label+".device", "the guest has the host's device %s", d.Device)
		}
	}
	for _, n := range c.NICs {
		if n.Network == NetworkUser && len(n.Allow) > 0 {
			add("nic."+n.Label+".allow", "the guest reaches %s by way of this host", strings.Join(n.Allow, ", "))
		}
	}
	for _, s := range c.Shares {
		verb := "reads and writes"
		if s.ReadOnly {
			verb = "reads"
		}
		add("share."+s.Label, "the guest %s the host's directory %s", verb, s.Path)
	}
	for _, p := range c.Passthru {
		add("passthru."+p.Label, "the guest drives the host's PCI device %s", p.PCI)
	}
	if s := c.Screen; s != nil && s.Listen != "" && s.PasswordFile == "" && !loopback(s.Listen) {
		add("screen.listen", "whoever reaches %s has the guest's screen and keyboard, without a password", s.Listen)
	}
	if c.GDB != nil {
		add("gdb", "whoever reaches %s reads and changes all of the guest", c.GDB.Listen)
	}
	if c.Jail.Network == NetworkShared {
		add("jail.network", "the screen, and on FreeBSD all of the hypervisor, can use the network as %s", strings.Join(append(append([]string{}, c.Jail.IP4...), c.Jail.IP6...), ", "))
	}
	if c.Jail.Root != "" {
		add("jail.root", "the jail holds all of %s, and no empty root of its own", c.Jail.Root)
	}
	for _, layer := range c.Jail.AllowMissing {
		add("jail.allow_missing", "the jail may do without %s", layer)
	}
	for i, a := range c.Access {
		add(numbered("", "access", i), "%s may %s", a.Who(), strings.Join(a.May, ", "))
	}
	if len(c.Hypervisor.Args) > 0 {
		add("hypervisor.args", "the hypervisor gets arguments that nobody checks: %s", strings.Join(c.Hypervisor.Args, " "))
	}
	return all
}

func loopback(listen string) bool {
	ap, err := netip.ParseAddrPort(listen)
	return err == nil && ap.Addr().IsLoopback()
}
