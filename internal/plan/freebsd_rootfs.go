package plan

import (
	"path"
	"path/filepath"
	"slices"

	"skep/internal/cell"
	"skep/internal/devfs"
	"skep/internal/layout"
)

// rootfsSize bounds a rootfs: bhyve and its libraries are 20 MiB, a firmware 16 at
// most, and with iasl and sh there is still half of it left.
const rootfsSize = 96 << 20

// tmpSize bounds the /tmp in which iasl compiles tables of some kilobytes.
const tmpSize = 4 << 20

// ConfigFile names, where a file would be named, the text that holds what must
// not be on bhyve's command line. The keeper writes it; it is on no disk.
const ConfigFile = "builtin:bhyve.conf"

// rootfs adds the root, its /dev and what is mounted in it.
func (b *bsd) rootfs() {
	f := b.facts.Bhyve
	b.tree = &JailRootfs{Path: b.root, Size: rootfsSize, Existing: b.cell.Jail.Root != "", Dirs: []string{"/dev"}}
	if !b.tree.Existing {
		b.tree.Files = append(b.tree.Files, f.Files...)
		if b.compiles() {
			b.tree.Files = addFiles(b.tree.Files, f.ACPIFiles)
		}
		if b.cell.Boot.Kind == cell.BootLoader {
			b.tree.Files = addFiles(b.tree.Files, f.Loader)
		}
	}
	if l := b.cell.Boot.Loader; l != nil {
		if l.OS != "" {
			b.input.LoaderOS = b.in(insideLoader)
			b.tree.Copies = append(b.tree.Copies, Copy{From: l.OS, Inside: b.input.LoaderOS})
		}
		if l.HostPath != "" {
			b.input.LoaderHost = b.in(insideHost)
		}
	}
	for _, fw := range Specs[*Firmware](b.plan) {
		b.tree.Copies = append(b.tree.Copies, Copy{From: fw.From, Inside: b.in(insideFirmware)})
	}
	if s := b.cell.Screen; s != nil && s.PasswordFile != "" {
		b.tree.Copies = append(b.tree.Copies, Copy{From: ConfigFile, Inside: b.in(insideConfig)})
		b.input.ConfigFile = b.in(insideConfig)
	}
	mounts := b.mounts()
	for _, m := range mounts {
		p := m.Inside
		if m.Dir || m.Size > 0 {
			b.tree.Dirs = append(b.tree.Dirs, p)
		} else {
			b.tree.Points = append(b.tree.Points, p)
		}
	}
	why := "the root: what bhyve needs to start, read-only, and nothing else; emptied once bhyve has it"
	asked := ""
	if b.tree.Existing {
		why, asked = "an existing tree in place of an empty room", "jail.root"
	}
	b.add("root", asked, why, b.tree)
	for _, m := range mounts {
		m.Path = filepath.Join(b.root, m.Inside)
		asked, why := m.asked, m.why
		b.add("mount:"+path.Clean(m.Inside), asked, why, m.Mount)
	}
	nodes := b.nodes()
	set := &Ruleset{Number: b.host.Slots.RulesetBase + b.plan.Slot, Nodes: nodes}
	b.add("ruleset", "", "hides every device node and shows these, by their exact names", set)
	b.add("dev", "", "the rootfs's /dev, listed and compared before bhyve starts",
		&DevMount{Path: filepath.Join(b.root, layout.Dev), Ruleset: set.Number, Nodes: append(slices.Clone(nodes), linked(b.links())...), Links: b.links()})
}

// in is where the rootfs has one of our places: at its root, or in an existing
// tree below a directory of ours.
func (b *bsd) in(place string) string {
	if b.cell.Jail.Root != "" {
		return insideOurs + place
	}
	return place
}

// compiles says whether this bhyve has iasl compile its tables.
func (b *bsd) compiles() bool { return b.input.ACPI && !b.facts.BasicACPI }

// insideMount is a mount of the plan and why it is there.
type insideMount struct {
	*Mount
	asked, why string
}

// mounts lists what is mounted below the root besides /dev.
func (b *bsd) mounts() []insideMount {
	var all []insideMount
	b.input.Disks, b.input.Shares = map[string]string{}, map[string]string{}
	for _, d := range Specs[*Disk](b.plan) {
		if d.Type == DiskZvol || d.Type == DiskDevice {
			b.input.Disks[d.Label] = d.Path
			continue
		}
		p := path.Join(b.in(insideDisks), d.Label)
		b.input.Disks[d.Label] = p
		all = append(all, insideMount{&Mount{From: d.Path, Inside: p, ReadOnly: d.ReadOnly}, "disk." + d.Label, "one file of the host's: the image of disk " + d.Label})
	}
	for _, m := range Specs[*Medium](b.plan) {
		p := path.Join(b.in(insideDisks), m.Label)
		b.input.Disks[m.Label] = p
		asked := "files." + m.Label
		if m.Seed {
			asked = "seed"
		}
		all = append(all, insideMount{&Mount{From: m.Path, Inside: p, ReadOnly: true}, asked, "one file of the host's: the image that was made for " + m.Label})
	}
	for _, v := range Specs[*Vars](b.plan) {
		all = append(all, insideMount{&Mount{From: v.Path, Inside: b.in(insideVars)}, "boot", "one file of the host's: this cell's UEFI variables"})
	}
	for _, s := range b.cell.Shares {
		p := path.Join(b.in(insideShares), s.Label)
		b.input.Shares[s.Label] = p
		all = append(all, insideMount{&Mount{From: s.Path, Inside: p, ReadOnly: s.ReadOnly, Dir: true}, "share." + s.Label, "a directory of the host's that the guest sees"})
	}
	if b.cell.GDB != nil && b.facts.GDBFiles {
		all = append(all, insideMount{&Mount{From: gdbFiles, Inside: gdbFiles, ReadOnly: true, Dir: true}, "gdb", "how the debug stub describes the processor; bhyve will not start it without"})
	}
	if l := b.cell.Boot.Loader; l != nil && l.HostPath != "" {
		all = append(all, insideMount{&Mount{From: l.HostPath, Inside: b.in(insideHost), ReadOnly: true, Dir: true, Passing: true}, "loader.host_path", "a directory of the host's that the loader sees as host:"})
	}
	for _, d := range Specs[*ScratchCopy](b.plan) {
		b.input.LoaderDisk = path.Join(b.in(insideScratchCopy), scratchName)
		all = append(all, insideMount{&Mount{From: d.Dir, Inside: b.in(insideScratchCopy), Dir: true, Passing: true}, "disk." + b.cell.Disks[0].Label, "the copy that bhyveload boots, alone in its directory"})
	}
	if b.compiles() {
		all = append(all, insideMount{&Mount{Inside: insideTmp, Size: tmpSize, Passing: true, UID: b.uid}, "", "where this bhyve has iasl compile its ACPI tables; gone once bhyve has them"})
	}
	if b.cell.Screen != nil && b.unixScreen() {
		all = append(all, insideMount{&Mount{Inside: b.in(insideSockets), Size: 64 << 10}, "screen", "holds the socket of the frame buffer"})
	}
	return all
}

// gdbFiles is _PATH_GDB_XML of usr.sbin/bhyve/gdb.c, FreeBSD 14.1 and later.
const gdbFiles = "/usr/share/bhyve/gdb"

// insideHost is where bhyveload's host: is.
const insideHost = "/host"

// insideScratchCopy is where the copy of an image is that bhyveload boots.
const insideScratchCopy = "/boot-disk"

// insideLoader is where another loader than the host's own is.
const insideLoader = "/userboot.so"

// nodes lists the device nodes of the rootfs.
func (b *bsd) nodes() []Node {
	var all []Node
	add := func(path string) {
		n := Node{Path: path, UID: -1}
		if b.uid != 0 {
			n.UID = b.uid
		}
		all = append(all, n)
	}
	add("vmm/" + b.cell.Name)
	// Made with a firmware and without: init_bootrom of usr.sbin/bhyve/bootrom.c.
	add("vmm.io/" + b.cell.Name + ".bootrom")
	if b.cell.Screen != nil {
		add("vmm.io/" + b.cell.Name + ".framebuffer")
	}
	inside, _ := b.modem()
	add(inside[len("/dev/"):])
	for _, t := range Specs[*Tap](b.plan) {
		add(t.Name)
	}
	for _, d := range Specs[*Disk](b.plan) {
		if d.Type == DiskZvol || d.Type == DiskDevice {
			add(d.Path[len("/dev/"):])
		}
	}
	if b.input.Random {
		all = append(all, Node{Path: "random", UID: -1})
	}
	// With a share, bhyve has casper(3) look up names of users; casper's helpers
	// end without a /dev/null, and bhyve with them (SIGPIPE).
	if b.compiles() || len(b.cell.Shares) > 0 || b.facts.VmmCtl {
		all = append(all, Node{Path: "null", UID: -1})
	}
	if len(b.cell.Passthru) > 0 {
		all = append(all, Node{Path: "pci", UID: -1}, Node{Path: "mem", UID: -1})
	}
	return all
}

// links keep /dev/vmmctl from bhyve, where there is one. bhyve opens it before it looks whether its VM
// is there, keeps it open with every right, and could make and destroy VMs by it for as long as it lives
// (vm_openf in lib/libvmmapi/vmmapi.c). Its VM is made before it, in its jail, by who starts it; and so
// null does as well. bhyveload makes one itself, or wants to hear from the real node that it is there.
func (b *bsd) links() []DevLink {
	if !b.facts.VmmCtl {
		return nil
	}
	l := DevLink{Name: "vmmctl", To: "null", UID: -1, Late: b.cell.Boot.Kind == cell.BootLoader}
	if b.uid != 0 {
		l.UID = b.uid
	}
	return []DevLink{l}
}

// linked are the names of links, as nodes.
func linked(links []DevLink) (nodes []Node) {
	for _, l := range links {
		nodes = append(nodes, Node{Path: l.Name, UID: l.UID})
	}
	return nodes
}

// Grants are the nodes as package devfs takes them.
func Grants(nodes []Node) []devfs.Grant {
	grants := make([]devfs.Grant, len(nodes))
	for i, n := range nodes {
		grants[i] = devfs.Grant{Path: n.Path}
		if n.UID >= 0 {
			grants[i].Owned, grants[i].UID = true, n.UID
		}
	}
	return grants
}

// modem is the null modem of the console: the end that bhyve opens first, and
// the keeper's.
func (b *bsd) modem() (inside, outside string) {
	inside = b.cell.Console.Device
	if inside == "" {
		inside = "/dev/nmdm-" + b.cell.Name + "A"
	}
	return inside, inside[:len(inside)-1] + "B"
}
