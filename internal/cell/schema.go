package cell

import "time"

// The tables of a cell file, one for each kind of block. skep.hcl(5) describes
// every name in them, which a test sees to.

// maxCPUs follows from the interrupt controller: a local APIC has an id of eight
// bits, and 255 means all of them.
const maxCPUs = 255

var cellBlock = block[Cell]{
	attrs: []attr[Cell]{
		at("cpus", count(1, maxCPUs, "without interrupt remapping that is all a virtual machine can address"), func(c *Cell) *int { return &c.CPUs }),
		at("memory", size(MiB, 64*TiB, MiB), func(c *Cell) *Size { return &c.Memory }),
		at("boot", boot, func(c *Cell) *Boot { return &c.Boot }),
		at("secure_boot", boolean, func(c *Cell) *bool { return &c.SecureBoot }),
		at("accel", choice(AccelAuto, AccelKVM, AccelTCG), func(c *Cell) *Accel { return &c.Accel }),
		at("start", choice(StartManual, StartBoot), func(c *Cell) *Start { return &c.Start }),
		at("after", list(text(nameRule), true), func(c *Cell) *[]string { return &c.After }),
		at("restart", choice(RestartNever, RestartOnCrash, RestartAlways), func(c *Cell) *Restart { return &c.Restart }),
		at("stop_timeout", duration(time.Second, time.Hour), func(c *Cell) *time.Duration { return &c.StopTimeout }),
		at("on_event", path(), func(c *Cell) *string { return &c.OnEvent }),
		at("evidence", boolean, func(c *Cell) *bool { return &c.Evidence }),
		at("time_limit", duration(time.Second, MaxTimeLimit), func(c *Cell) *time.Duration { return &c.TimeLimit }),
	},
	blocks: []child[Cell]{
		always("restart_limit", &restartBlock, func(c *Cell) *RestartMax { return &c.RestartMax }),
		maybe("kernel", &kernelBlock, func(c *Cell) **Kernel { return &c.Kernel }),
		maybe("loader", &loaderBlock, func(c *Cell) **Loader { return &c.Boot.Loader }),
		many("disk", "a name", nameRule, &diskBlock, func(d *Disk) *string { return &d.Label }, func(c *Cell) *[]Disk { return &c.Disks }),
		many("files", "a name", nameRule, &filesBlock, func(f *Files) *string { return &f.Label }, func(c *Cell) *[]Files { return &c.Files }),
		many("results", "a name", nameRule, &resultsBlock, func(r *Results) *string { return &r.Label }, func(c *Cell) *[]Results { return &c.Results }),
		maybe("seed", &seedBlock, func(c *Cell) **Seed { return &c.Seed }),
		many("nic", "a name", nameRule, &nicBlock, func(n *NIC) *string { return &n.Label }, func(c *Cell) *[]NIC { return &c.NICs }),
		many("bridge", "the name of a bridge", interfaceRule, &bridgeBlock, func(b *Bridge) *string { return &b.Name }, func(c *Cell) *[]Bridge { return &c.Bridges }),
		many("share", "a name", nameRule, &shareBlock, func(s *Share) *string { return &s.Label }, func(c *Cell) *[]Share { return &c.Shares }),
		many("passthru", "a name", nameRule, &passthruBlock, func(p *Passthru) *string { return &p.Label }, func(c *Cell) *[]Passthru { return &c.Passthru }),
		maybe("screen", &screenBlock, func(c *Cell) **Screen { return &c.Screen }),
		always("console", &consoleBlock, func(c *Cell) *Console { return &c.Console }),
		maybe("gdb", &gdbBlock, func(c *Cell) **GDB { return &c.GDB }),
		maybe("tpm", &tpmBlock, func(c *Cell) **TPM { return &c.TPM }),
		maybe("identity", &identityBlock, func(c *Cell) **Identity { return &c.Identity }),
		maybe("clock", &clockBlock, func(c *Cell) **Clock { return &c.Clock }),
		many("pool", "a name", poolRule, &poolBlock, func(p *Pool) *string { return &p.Label }, func(c *Cell) *[]Pool { return &c.Pools }),
		several("access", &accessBlock, func(c *Cell) *[]Access { return &c.Access }),
		always("jail", &jailBlock, func(c *Cell) *Jail { return &c.Jail }),
		always("hypervisor", &hypervisorBlock, func(c *Cell) *Hypervisor { return &c.Hypervisor }),
	},
	fresh: func() Cell {
		return Cell{
			CPUs: 1, Boot: Boot{Kind: BootHello}, Accel: AccelAuto, Start: StartManual, Restart: RestartNever,
			RestartMax: restartBlock.fresh(), StopTimeout: 30 * time.Second,
			Console: consoleBlock.fresh(), Jail: jailBlock.fresh(),
		}
	},
	check: checkCell,
}

var restartBlock = block[RestartMax]{
	attrs: []attr[RestartMax]{
		at("starts", count(1, 1000, ""), func(m *RestartMax) *int { return &m.Starts }),
		at("within", duration(time.Second, 7*24*time.Hour), func(m *RestartMax) *time.Duration { return &m.Within }),
	},
	fresh: func() RestartMax { return RestartMax{Starts: 5, Within: 10 * time.Minute} },
}

var kernelBlock = block[Kernel]{
	attrs: []attr[Kernel]{
		at("image", path(), func(k *Kernel) *string { return &k.Image }),
		at("initrd", path(), func(k *Kernel) *string { return &k.Initrd }),
		at("cmdline", text(short), func(k *Kernel) *string { return &k.Cmdline }),
	},
	fresh: func() Kernel { return Kernel{} },
	check: func(r *reader, path string, _ *Kernel) { r.need(path, "image", `image = "vmlinuz"`) },
}

var loaderBlock = block[Loader]{
	attrs: []attr[Loader]{
		at("env", list(text(envRule), false), func(l *Loader) *[]string { return &l.Env }),
		at("os", path(), func(l *Loader) *string { return &l.OS }),
		at("host_path", path(shareRule), func(l *Loader) *string { return &l.HostPath }),
	},
	fresh: func() Loader { return Loader{} },
}
