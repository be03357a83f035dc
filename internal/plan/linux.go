package plan

import (
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/hypervisor"
	"skep/internal/layer"
	"skep/internal/layout"
)

// Places in the rootfs.
const (
	insideKernel = "/kernel"
	insideInitrd = "/initrd"
	kvmNode      = "/dev/kvm"
)

// linux plans a cell on a Linux host: QEMU in namespaces.
func linux(c *cell.Cell, h host.Facts) (*Plan, Problems) {
	b, err := newBuilder(c, h)
	if err != nil {
		return nil, Problems{err}
	}
	small := b.preflight()
	wrong := Problems(linuxOnly(c))
	if h.Linux == nil || h.Linux.QEMU == nil {
		// What else it lacks follows from which QEMU there is.
		wrong.add(fault.Cannot(fault.Host, h.Install("qemu"), "start", c.Name, "QEMU is not installed"))
		return nil, append(small, wrong...)
	}
	if g := h.Linux.Cgroup; g.Parent != "" && g.Parent != host.CgroupAuto && len(g.Below) == 0 {
		wrong.add(fault.New(fault.Input, "cat /proc/PID/cgroup shows the groups of a process",
			"use the control group %s: it is in no tree, or not to be written to", g.Parent))
	}
	choice, err := host.ChooseAccel(c, h)
	wrong.add(err)
	decisions, err := host.ChooseLayers(c, h)
	wrong.add(err)
	wrong.add(b.lacksFirmware())
	wrong.add(b.lacksTPM())
	if err == nil {
		wrong.add(b.lacksSeal(decisions))
	}
	if len(wrong) > 0 {
		return nil, append(small, wrong...)
	}
	b.plan.Accel = choice.Accel
	if choice.Notice != "" {
		b.plan.Notes = append(b.plan.Notes, choice.Notice)
	}
	b.plan.Layers = decisions
	b.plan.Notes = append(b.plan.Notes, layerNotes(decisions)...)

	who := host.ChooseIdentity(h, b.plan.Slot)
	b.linuxState(who)
	b.worker()
	cgroups := b.cgroups(who, decisions)
	b.template()
	b.network()
	b.disks()
	b.firmware()
	b.sockets()
	b.userNetworks()
	b.captures()
	b.tpm()
	b.rootfs(choice.Accel)
	b.jail(who, cgroups, decisions)
	b.hypervisor(choice.CPU)
	b.board()
	b.screen()
	return b.plan, small
}

// linuxOnly refuses what only a FreeBSD host can do.
func linuxOnly(c *cell.Cell) (wrong []error) {
	for _, r := range hypervisor.QEMURefuses(c) {
		wrong = append(wrong, refusal(c, r))
	}
	if c.Jail.Root != "" {
		wrong = append(wrong, Located(c, "jail.root", fault.New(fault.Input, "remove jail.root: on Linux skep always makes a new rootfs", "use jail.root on a Linux host")))
	}
	return wrong
}

// layerNotes tells what is not as the table has it.
func layerNotes(decisions []layer.Decision) []string {
	var notes []string
	for _, d := range decisions {
		switch d.Verdict {
		case layer.Substituted:
			notes = append(notes, "layer "+string(d.ID)+" is substituted by "+string(d.By)+": "+d.Detail)
		case layer.Missing:
			notes = append(notes, "layer "+string(d.ID)+" is missing, as the cell file allows: "+d.Detail)
		case layer.NotPrivileged:
			notes = append(notes, "layer "+string(d.ID)+" is not applied: "+d.Detail)
		}
	}
	return notes
}

// linuxState adds what the cell is kept track of with.
func (b *builder) linuxState(who host.Identity) {
	dir := RunDir(b.host, b.cell.Name)
	b.add("directory:run", "", "journal, state and sockets of the running cell", &Directory{Path: dir, Mode: 0o700})
	b.add("slot", "", "a number of its own: uid and tap names follow from it",
		&Slot{Number: b.plan.Slot, Name: b.cell.Name, File: b.host.Dirs.Slot(b.plan.Slot), UID: who.UID, GID: who.GID})
	b.add("log:console", "console.log_size", "what the guest says, kept below a size",
		&Log{Name: "console-log", Path: b.kept(layout.ConsoleLog), Max: b.cell.Console.LogSize})
	b.add("log:hypervisor", "", "what the hypervisor says of itself",
		&Log{Name: "hypervisor-log", Path: b.kept(layout.HypervisorLog), Max: cell.MiB})
}

// worker adds who speaks with the hypervisor. It is started first, beside all else.
func (b *builder) worker() {
	who := host.WorkerIdentity(b.host, b.plan.Slot)
	b.add("worker", "", "speaks with QEMU in the keeper's place, and has no rights", &Worker{
		Identity: who.Mapping, UID: who.UID, GID: who.GID,
		// A picture of the screen is the largest thing that it has to do with.
		Rlimits: []Rlimit{{"core", 0}, {"nofile", 96}, {"nproc", 48}, {"data", 256 << 20}, {"fsize", 128 << 20},
			{"memlock", 0}, {"msgqueue", 0}, {"locks", 0}, {"sigpending", 64}},
	})
}

// cgroups adds the cell's control groups and returns their paths.
//
// A cell with a uid of its own has a group of that number: whichever run
// directory a cell belongs to, this is where all cells of a host meet, so no
// two can have one uid.
func (b *builder) cgroups(who host.Identity, decisions []layer.Decision) []string {
	group := b.cell.Name
	if who.UID != b.host.EUID {
		group = strconv.Itoa(who.UID)
	}
	g := b.host.Linux.Cgroup
	l := b.cell.Jail.Limits
	memory := strconv.FormatInt(int64(b.cell.Memory+l.MemoryOverhead), 10)
	v2 := map[string][]Setting{
		// No swap: guest memory does not go to the host's disk.
		"memory": {{"memory.max", memory}, {"memory.swap.max", "0"}, {"memory.oom.group", "1"}},
		"pids":   {{"pids.max", strconv.Itoa(l.Processes)}},
	}
	v1 := map[string][]Setting{
		// Memory and swap together may be no more than memory alone.
		"memory": {{"memory.limit_in_bytes", memory}, {"memory.memsw.limit_in_bytes", memory}},
		"pids":   {{"pids.max", strconv.Itoa(l.Processes)}},
	}
	if l.CPU > 0 {
		// Per cent of one processor, in microseconds of each 100 ms.
		v2["cpu"] = []Setting{{"cpu.max", strconv.Itoa(l.CPU*1000) + " 100000"}}
		v1["cpu"] = []Setting{{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", strconv.Itoa(l.CPU * 1000)}}
	}
	wanted := []struct {
		controller, asked string
		layer             layer.ID
	}{
		{"memory", "jail.limits.memory_overhead", layer.CgroupMemory},
		{"pids", "jail.limits.processes", layer.CgroupPids},
		{"cpu", "jail.limits.cpu", layer.CgroupCPU},
	}
	below := func(base string) string {
		if dir := path.Dir(base); slices.Contains(g.Below, dir) {
			return dir
		}
		return ""
	}
	var paths []string
	if g.Own != "" {
		b.add("cgroup:own", "", "where skep itself goes: a group that has processes hands no limits down",
			&OwnCgroup{Path: g.Own, Parent: path.Dir(g.Own)})
	}
	if g.V2 != "" {
		var limits []Setting
		for _, w := range wanted {
			if g.V1[w.controller] == "" && layer.On(decisions, w.layer) {
				limits = append(limits, v2[w.controller]...)
			}
		}
		p := path.Join(g.V2, group)
		b.add("cgroup:v2", "", "holds every process of the cell, for limits, freezing and killing", &Cgroup{Tree: "v2", Path: p, Limits: limits, Below: below(g.V2)})
		paths = append(paths, p)
	}
	for _, w := range wanted {
		if base := g.V1[w.controller]; base != "" && layer.On(decisions, w.layer) && len(v1[w.controller]) > 0 {
			p := path.Join(base, group)
			b.add("cgroup:"+w.controller, w.asked, "bounds "+w.controller,
				&Cgroup{Tree: w.controller, Path: p, Limits: v1[w.controller], Below: below(base)})
			paths = append(paths, p)
		}
	}
	return paths
}

// sockets adds what the keeper and its clients talk through.
func (b *builder) sockets() {
	dir := RunDir(b.host, b.cell.Name)
	for _, s := range []struct{ name, why string }{
		{"control", "where skep's own commands reach the keeper"},
		{"qmp", "where the keeper speaks with QEMU; bound outside, so that a new keeper can connect"},
		{"console", "the serial console; one reader at a time"},
	} {
		b.add("socket:"+s.name, "", s.why, &Socket{Name: s.name, Path: filepath.Join(dir, layout.Socket(s.name))})
	}
	b.access()
	if g := b.cell.GDB; g != nil {
		b.add("socket:gdb", "gdb", "debuggers connect here; QEMU alone accepts on it", &Socket{Name: "gdb", Listen: g.Listen})
	}
}

// rootfs adds the root.
func (b *builder) rootfs(accel cell.Accel) {
	q := b.host.Linux.QEMU
	r := &Rootfs{Files: append([]host.File(nil), q.Files...)}
	if accel == cell.AccelTCG {
		r.Files = addFiles(r.Files, q.TCG)
	}
	r.Files, r.Code, r.Linked = thin(b.cell, q, r.Files)
	for _, name := range hypervisor.QEMUDataFiles(b.cell) {
		if f, ok := q.ROM(name); ok {
			r.Data = append(r.Data, f)
		}
	}
	if k := b.cell.Kernel; k != nil {
		r.Copies = append(r.Copies, Copy{From: k.Image, Inside: insideKernel})
		if k.Initrd != "" {
			r.Copies = append(r.Copies, Copy{From: k.Initrd, Inside: insideInitrd})
		}
	}
	if accel == cell.AccelKVM {
		r.Devices = []string{kvmNode}
	}
	// A page for each name; the bytes of a kernel come on top when it is copied.
	const page, spare = 4096, 64
	r.Size = int64(len(r.Files)+len(r.Data)+spare) * page
	b.add("room", "", "the root: what the hypervisor needs to start, read-only, and nothing else", r)
}

func addFiles(have, more []host.File) []host.File {
	at := map[string]bool{}
	for _, f := range have {
		at[f.Inside] = true
	}
	for _, f := range more {
		if !at[f.Inside] {
			have = append(have, f)
		}
	}
	return have
}

// jail adds what surrounds the hypervisor.
func (b *builder) jail(who host.Identity, cgroups []string, decisions []layer.Decision) {
	l := b.cell.Jail.Limits
	j := &Jail{
		Hostname:   b.cell.Name,
		Identity:   who.Mapping,
		UID:        who.UID,
		GID:        who.GID,
		Namespaces: namespaces(decisions),
		Rlimits: []Rlimit{
			{"core", 0},
			{"nofile", uint64(l.OpenFiles)},
			{"nproc", uint64(l.Processes)},
			{"memlock", 0},
			{"msgqueue", 0},
		},
		Features: features(b.cell, b.plan.Accel),
		Cgroups:  cgroups,
		Bound:    b.host.Bound(),
	}
	for _, d := range decisions {
		switch d.Verdict {
		case layer.Applied:
			j.Layers = append(j.Layers, string(d.ID))
		case layer.Substituted:
			if d.By != "" && !layer.On(decisions, d.By) {
				j.Layers = append(j.Layers, string(d.By))
			}
		}
	}
	why := "namespaces, identity, limits and filters, before the hypervisor's first instruction"
	if j.Bound {
		why += "; it ends with its keeper"
	}
	b.add("jail", "jail", why, j)
}

// namespaces are those of the jail, by unshare(1)'s names.
func namespaces(decisions []layer.Decision) []string {
	var names []string
	for _, n := range []struct {
		layer layer.ID
		name  string
	}{
		{layer.UserNamespace, "user"}, {layer.MountNamespace, "mount"}, {layer.PIDNamespace, "pid"},
		{layer.NetworkNamespace, "net"}, {layer.IPCNamespace, "ipc"}, {layer.UTSNamespace, "uts"},
		{layer.CgroupNamespace, "cgroup"}, {layer.TimeNamespace, "time"},
	} {
		if layer.On(decisions, n.layer) {
			names = append(names, n.name)
		}
	}
	return names
}

// features name the rows of the system call table that this cell needs.
func features(c *cell.Cell, accel cell.Accel) []string {
	var f []string
	if len(c.Drives()) > 0 || c.Boot.Kind == cell.BootUEFI {
		f = append(f, "disk")
	}
	if slices.ContainsFunc(c.NICs, func(n cell.NIC) bool { return !n.UserSpace() }) {
		f = append(f, "nic")
	}
	if c.Screen != nil {
		f = append(f, "screen")
	}
	if c.GDB != nil && accel == cell.AccelKVM {
		f = append(f, "debug")
	}
	if c.TPM != nil {
		f = append(f, "tpm")
	}
	return append(f, string(accel))
}

// hypervisor adds QEMU itself.
func (b *builder) hypervisor(cpu string) {
	q := b.host.Linux.QEMU
	list := hypervisor.QEMUDescriptors(b.cell)
	fds := hypervisor.Number(list)
	argv := hypervisor.QEMUArgs(b.cell, hypervisor.QEMUInput{
		Accel: b.plan.Accel, CPU: cpu, FD: fds, DataDir: q.Data, KernelPath: insideKernel, InitrdPath: insideInitrd,
		Version: q.Version,
	})
	h := &Hypervisor{Path: insideOf(q), Argv: append([]string{path.Base(q.Path)}, argv...)}
	for _, d := range list {
		h.Descriptors = append(h.Descriptors, Descriptor{Number: fds[d.Name], Name: d.Name, Use: string(d.Use)})
	}
	b.add("hypervisor", "", "QEMU, waiting until the rootfs is closed behind it", h)
}

// insideOf is where the rootfs has the binary of QEMU.
func insideOf(q *host.QEMU) string {
	for _, f := range q.Files {
		if f.Host == q.Path {
			return f.Inside
		}
	}
	return q.Path
}

// screen adds where viewers connect.
func (b *builder) screen() {
	s := b.cell.Screen
	if s == nil {
		return
	}
	spec := &Screen{Listen: s.Listen, PasswordFile: s.PasswordFile}
	why := "viewers connect here; each is handed to QEMU as a descriptor"
	if spec.Listen == "" {
		spec.Path = filepath.Join(RunDir(b.host, b.cell.Name), layout.Socket(layout.Screen))
		why = "viewers connect here; no network sees it"
	}
	b.add("screen", "screen", why, spec)
}
