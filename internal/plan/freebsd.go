package plan

import (
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/hypervisor"
	"skep/internal/layout"
)

// Places in the rootfs of a FreeBSD host; see bsd.in.
const (
	insideFirmware = "/firmware.fd"
	insideVars     = "/vars.fd"
	insideConfig   = "/bhyve.conf"
	insideDisks    = "/disk"
	insideShares   = "/share"
	insideTmp      = "/tmp"
	insideSockets  = "/run"

	// insideOurs is where they are in an existing tree: a name that is ours alone,
	// so that nothing of the tree is written over, and all of ours can go again.
	insideOurs = "/.skep"
)

// insideScreen and insideDebug are where bhyve listens in a network stack of
// its own, which nothing but the keeper can connect to.
const (
	insideScreen = "127.0.0.1:5900"
	insideDebug  = "127.0.0.1:1234"
)

// maxMountPath is what statfs(2) held of a mount's path before FreeBSD 12, and
// what jail tools and people's scripts still count on.
const maxMountPath = 88

// bsd is the builder of a plan for FreeBSD.
type bsd struct {
	*builder
	facts *host.FreeBSD
	root  string // the room, as the host sees it
	input hypervisor.BhyveInput
	tree  *JailRootfs
	uid   int // bhyve's; 0 where this bhyve must be root to make its VM
}

// freebsd plans a cell on a FreeBSD or HardenedBSD host: bhyve in a jail.
func freebsd(c *cell.Cell, h host.Facts) (*Plan, Problems) {
	if h.FreeBSD == nil || h.FreeBSD.Bhyve == nil {
		return nil, Problems{fault.Cannot(fault.Host, "", "start", c.Name, "there is no bhyve on this host")}
	}
	h.Slots.Taken = withRulesets(h.Slots, h.FreeBSD.Rulesets)
	common, err := newBuilder(c, h)
	if err != nil {
		return nil, Problems{err}
	}
	b := &bsd{builder: common, facts: h.FreeBSD, root: filepath.Join(RunDir(h, c.Name), layout.Root)}
	if c.Jail.Root != "" {
		b.root = c.Jail.Root
	}
	small := b.preflight()
	wrong := Problems(slices.Concat(b.only(), b.addresses()))
	for _, lacks := range []func() error{b.paths, b.place, b.lacksFirmware} {
		wrong.add(lacks())
	}
	if len(wrong) > 0 {
		return nil, append(small, wrong...)
	}
	b.machine()
	b.identity()
	b.state()
	b.worker()
	b.network()
	b.userNetworks()
	b.captures()
	b.disks()
	if b.loadsReadOnly() {
		d := DiskOf(b.cell.Disks[0], LayersOf(b.host, b.cell.Name))
		b.add("double:"+d.Label, "disk."+d.Label, "a copy for bhyveload, which opens for writing what it reads; it goes with the cell",
			&ScratchCopy{From: d.Path, Dir: b.kept(layout.Loader)})
	}
	b.firmware()
	b.sockets()
	b.rootfs()
	b.surround()
	// Who watches is let in first: a bhyve that waits for a viewer starts nothing
	// before there is one.
	b.screens()
	b.hypervisor()
	return b.plan, small
}

// withRulesets keeps clear of slots whose rule set number somebody else uses.
func withRulesets(s host.Slots, used []int) map[string]int {
	taken := maps.Clone(s.Taken)
	if taken == nil {
		taken = map[string]int{}
	}
	for _, n := range used {
		if slot := n - s.RulesetBase; slot >= 0 && slot < s.Count {
			taken["rule set "+strconv.Itoa(n)] = slot
		}
	}
	return taken
}

// machine decides what the guest gets that depends on the kind of guest alone.
func (b *bsd) machine() {
	guest := b.cell.Boot.Kind != cell.BootHello
	b.input = hypervisor.BhyveInput{
		Random: guest, ACPI: guest,
		MonitorMode: b.facts.MonitorMode, VNCUnix: b.facts.VNCUnix, TablesOption: b.facts.TablesOption,
	}
}

// identity decides who bhyve is. Up to FreeBSD 14 making a VM is root's; where
// there is /dev/vmmctl whoever may open that can. A tap of another user's needs
// net.link.tap.user_open, which is the admin's to set, so a cell with a network
// card stays root of its jail; and so does one with files of the host's, which
// belong to root or to whoever keeps them: images, UEFI variables, a directory
// that is shared, a password.
func (b *bsd) identity() {
	c := b.cell
	if b.facts.VmmCtl && len(c.NICs) == 0 && len(c.Passthru) == 0 && c.Jail.Root == "" && !b.opensFiles() {
		b.uid = b.host.Slots.UIDBase + b.plan.Slot
	}
}

// opensFiles says whether bhyve opens something by a name in its rootfs that is no
// device, other than to read what everybody may.
func (b *bsd) opensFiles() bool {
	c := b.cell
	files := slices.ContainsFunc(c.Drives(), func(d cell.Disk) bool { return d.File != "" || d.ISO != "" || d.Made != "" || d.Layered() })
	uefi := c.Boot.Kind == cell.BootUEFI
	return files || uefi || len(c.Shares) > 0 || c.Screen != nil || c.Boot.Loader != nil && c.Boot.Loader.HostPath != ""
}

// state adds what the cell is kept track of with.
func (b *bsd) state() {
	dir := RunDir(b.host, b.cell.Name)
	b.add("directory:run", "", "journal, state and sockets of the running cell", &Directory{Path: dir, Mode: 0o700})
	b.add("slot", "", "a number of its own: rule set, tap names and uid follow from it",
		&Slot{Number: b.plan.Slot, Name: b.cell.Name, File: b.host.Dirs.Slot(b.plan.Slot), UID: b.uid, GID: b.uid})
	b.add("log:console", "console.log_size", "what the guest says, kept below a size",
		&Log{Name: "console-log", Path: b.kept(layout.ConsoleLog), Max: b.cell.Console.LogSize})
	b.add("log:hypervisor", "", "what the hypervisor says of itself",
		&Log{Name: "hypervisor-log", Path: b.kept(layout.HypervisorLog), Max: cell.MiB})
}

// Limits of a worker. Its memory is counted where the kernel counts; its runtime keeps below that by itself, and reserves
// far more addresses than it uses.
const (
	workerMemory    = 384 << 20
	workerAddresses = 4<<30 + workerMemory
	workerThreads   = 48
	workerFiles     = 128
)

// worker adds who reads what bhyve and its guest say. It is started first, beside all else.
func (b *bsd) worker() {
	who := host.WorkerIdentity(b.host, b.plan.Slot)
	w := &Worker{
		Identity: who.Mapping, UID: who.UID, GID: who.GID, Jail: WorkerJail(b.cell.Name), Root: filepath.Join(RunDir(b.host, b.cell.Name), layout.Worker),
		// A picture of the screen, and a log, are the largest that it writes; a guest's memory goes to a pipe.
		Rlimits: []Rlimit{{"core", 0}, {"nofile", workerFiles}, {"nproc", 1}, {"as", workerAddresses}, {"fsize", 256<<20 + 2*uint64(b.cell.Console.LogSize)}, {"memlock", 0}},
	}
	if b.facts.Racct {
		w.Rules = serviceRules(w.Jail, workerFiles)
	}
	b.add("worker", "", "reads what bhyve and its guest say in the keeper's place, and has no rights", w)
}

// lacksFirmware refuses UEFI where the host has none for bhyve.
func (b *bsd) lacksFirmware() error { return host.LacksFirmware(b.cell, b.host) }

// firmware adds what the guest executes first, and its UEFI variables.
func (b *bsd) firmware() {
	switch b.cell.Boot.Kind {
	case cell.BootHello:
		b.add("firmware", "boot", "the built-in guest", &Firmware{From: BuiltinHello})
		b.input.Firmware = b.in(insideFirmware)
	case cell.BootFirmware:
		b.add("firmware", "boot", "the firmware that the cell file names", &Firmware{From: b.cell.Boot.Path})
		b.input.Firmware = b.in(insideFirmware)
	case cell.BootUEFI:
		code, vars := b.uefi()
		b.add("firmware", "boot", "the host's UEFI firmware", &Firmware{From: code})
		b.input.Firmware = b.in(insideFirmware)
		if vars != "" {
			b.add("vars", "boot", "the cell's own UEFI variables; they stay",
				&Vars{Path: b.kept(layout.Vars), From: vars})
			b.input.FirmwareRW = b.in(insideVars)
		}
	}
}

// uefi chooses the firmware that keeps variables, where it is there: the
// package has its template beside it.
func (b *bsd) uefi() (code, vars string) {
	const split = "BHYVE_UEFI_CODE.fd"
	for _, f := range b.facts.Firmware {
		if path.Base(f) == split {
			return f, path.Join(path.Dir(f), "BHYVE_UEFI_VARS.fd")
		}
	}
	if len(b.facts.Firmware) > 0 {
		return b.facts.Firmware[0], ""
	}
	return "", ""
}

// sockets adds what the keeper and its clients talk through.
func (b *bsd) sockets() {
	dir := RunDir(b.host, b.cell.Name)
	b.add("socket:control", "", "where skep's own commands reach the keeper", &Socket{Name: layout.Control, Path: filepath.Join(dir, layout.Socket(layout.Control))})
	b.add("socket:console", "", "the serial console; whoever joins", &Socket{Name: layout.Console, Path: filepath.Join(dir, layout.Socket(layout.Console))})
	b.access()
}
