package plan

import (
	"path/filepath"
	"strconv"

	"skep/internal/cell"
	"skep/internal/hypervisor"
	"skep/internal/layout"
)

// JailName is the name of a cell's jail.
func JailName(name string) string { return "skep-" + name }

// surround adds the jail, its limits, the null modem and the VM's name.
func (b *bsd) surround() {
	c := b.cell
	p := &Prison{
		Name: JailName(c.Name), Path: b.root, Hostname: c.Name, Ruleset: b.host.Slots.RulesetBase + b.plan.Slot,
		Network: c.Jail.Network, IP4: c.Jail.IP4, IP6: c.Jail.IP6,
		// Where making a VM is root's, root is what bhyve must be until it has
		// made it; taken away once it is in capability mode.
		Suser:       b.uid == 0,
		SecureLevel: 3,
	}
	if b.inside() {
		p.Network = cell.NetworkVnet
	}
	if len(c.Passthru) > 0 {
		// pci(4) and mem(4) refuse to be written to above securelevel 0.
		p.SecureLevel = 0
	}
	b.add("jail", "jail", "its own root, devices, host name and network; every allow.* off but allow.vmm", p)
	b.limits(p.Name)
	inside, outside := b.modem()
	b.input.Console = inside
	asked := ""
	if c.Console.Device != "" {
		asked = "console.device"
	}
	b.add("console", asked, "a null modem: bhyve, inside, opens its end first, so that the pair is its jail's", &Modem{Inside: inside, Outside: outside})
	b.add("vm", "", "the virtual machine in vmm(4); it outlives bhyve and jail unless it is destroyed", &VM{Name: c.Name, Before: b.facts.VmmCtl && c.Boot.Kind != cell.BootLoader})
}

// limits bounds the whole jail where the kernel counts (kern.racct.enable).
func (b *bsd) limits(jail string) {
	if !b.facts.Racct {
		b.plan.Notes = append(b.plan.Notes, "kern.racct.enable is 0: the limits of single processes hold, those of the whole jail do not")
		return
	}
	l := b.cell.Jail.Limits
	// A process that is about to start another counts twice until it has: its
	// child is born with its memory (RACCT_INHERITABLE in sys/kern/kern_racct.c).
	space := b.addressSpace()
	if b.compiles() || len(b.cell.Shares) > 0 {
		space *= 3
	}
	if b.inside() {
		space += visitor
	}
	rules := []string{
		"vmemoryuse:deny=" + strconv.FormatInt(space, 10),
		"nthr:deny=" + strconv.Itoa(l.Processes),
		"maxproc:deny=" + strconv.Itoa(min(l.Processes, maxProcesses)),
		"openfiles:deny=" + strconv.Itoa(l.OpenFiles),
		"coredumpsize:deny=0",
		"msgqsize:deny=0", "shmsize:deny=0", "nsem:deny=0",
	}
	if l.CPU > 0 {
		rules = append(rules, "pcpu:deny="+strconv.Itoa(l.CPU))
	}
	s := &Rctl{Jail: jail}
	for _, r := range rules {
		s.Rules = append(s.Rules, "jail:"+jail+":"+r)
	}
	b.add("limits", "jail.limits", "what the whole jail may take from the host", s)
}

// visitor is what skep's own program counts for while it is in a jail that has a
// network of its own, to make the socket for one viewer: a Go program reserves
// 1.2 GiB of addresses before its first line. Without room for it, bhyve would
// be refused the memory that it asks for in that moment, and end of it.
const visitor = 2 << 30

// maxProcesses bounds the processes of a jail: bhyve, its helper for names, and
// for a moment the shell and the compiler of ACPI tables. Threads are another
// limit.
const maxProcesses = 8

// addressSpace is what bhyve may map. Guest memory above 3 GiB begins at 4 GiB
// and the hole between counts; a guard of 4 MiB lies on both sides of it
// (vm_setup_memory in lib/libvmmapi/vmmapi.c). Each thread has a stack of 2 MiB.
func (b *bsd) addressSpace() int64 {
	const guard, hole, stack = 4 << 20, 1 << 30, 2 << 20
	n := int64(b.cell.Memory+b.cell.Jail.Limits.MemoryOverhead) + 2*guard + int64(b.cell.CPUs)*stack
	if b.cell.Memory > 3*cell.GiB {
		n += hole
	}
	return n
}

// hypervisor adds bhyve itself, and what loads its guest.
func (b *bsd) hypervisor() {
	c := b.cell
	b.input.Taps = map[string]string{}
	for _, t := range Specs[*Tap](b.plan) {
		b.input.Taps[t.Label] = t.Name
	}
	switch {
	case c.Screen == nil:
	case b.unixScreen():
		b.input.ScreenSocket = b.in(insideSockets) + "/" + layout.Socket(layout.Screen)
	case b.inside():
		b.input.ScreenAddress = insideScreen
	default:
		b.input.ScreenAddress = c.Screen.Listen
	}
	guest := c
	if c.GDB != nil && b.inside() {
		moved := *c
		moved.GDB = &cell.GDB{Listen: insideDebug, Wait: c.GDB.Wait}
		guest = &moved
	}
	l := c.Jail.Limits
	h := &Bhyve{
		Jail: JailName(c.Name), Path: b.facts.Bhyve.Path, VM: c.Name, UID: b.uid, GID: b.uid,
		Argv: append([]string{"bhyve"}, hypervisor.BhyveArgs(guest, b.input)...),
		Rlimits: []Rlimit{
			{"core", 0},
			{"nofile", uint64(l.OpenFiles)},
			{"as", uint64(b.addressSpace())},
		},
		Bound: b.host.Bound(),
	}
	if c.Boot.Kind == cell.BootLoader {
		h.Loader = append([]string{"/usr/sbin/bhyveload"}, hypervisor.BhyveloadArgs(c, b.input)...)
	}
	why := "bhyve, entered into its jail; seen to be in capability mode before its rootfs is emptied"
	if h.Bound {
		why += "; it ends with its keeper"
	}
	b.add("hypervisor", "", why, h)
}

// inside says whether bhyve listens in a network stack of its own: where
// something is to listen, and no address of the host's was given to the jail.
func (b *bsd) inside() bool {
	c := b.cell
	if c.Jail.Network == cell.NetworkShared {
		return false
	}
	return c.Screen != nil && !b.unixScreen() || c.GDB != nil || c.Jail.Network == cell.NetworkVnet
}

// unixScreen says whether the frame buffer is served on a UNIX socket in the
// rootfs.
func (b *bsd) unixScreen() bool {
	c := b.cell
	return c.Screen != nil && b.facts.VNCUnix && c.Jail.Network != cell.NetworkShared
}

// screens adds where viewers and debuggers connect.
func (b *bsd) screens() {
	c := b.cell
	dir := RunDir(b.host, c.Name)
	if s := c.Screen; s != nil {
		if !b.inside() && !b.unixScreen() {
			spec := &Screen{Listen: s.Listen, PasswordFile: s.PasswordFile}
			b.add("screen", "screen", "viewers connect to bhyve on the jail's address", spec)
		} else {
			r := &Relay{Name: "screen", Listen: s.Listen, Jail: JailName(c.Name), Inside: insideScreen}
			if b.unixScreen() {
				r.Inside = "unix:" + filepath.Join(b.root, b.in(insideSockets), layout.Socket(layout.Screen))
			}
			why := "viewers connect here; bhyve listens where nobody else can"
			if r.Listen == "" {
				r.Path = filepath.Join(dir, layout.Socket(layout.Screen))
				why = "viewers connect here; no network sees it"
			}
			b.add("screen", "screen", why, r)
		}
	}
	if g := c.GDB; g != nil && b.inside() {
		b.add("gdb", "gdb", "debuggers connect here", &Relay{Name: "gdb", Listen: g.Listen, Jail: JailName(c.Name), Inside: insideDebug})
	}
}
