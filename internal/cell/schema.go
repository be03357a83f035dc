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
		at("accel", choice(AccelAuto, AccelKVM, AccelTCG), func(c *Cell) *Accel { return &c.Accel }),
		at("start", choice(StartManual, StartBoot), func(c *Cell) *Start { return &c.Start }),
		at("after", list(text(nameRule), true), func(c *Cell) *[]string { return &c.After }),
		at("restart", choice(RestartNever, RestartOnCrash, RestartAlways), func(c *Cell) *Restart { return &c.Restart }),
		at("stop_timeout", duration(time.Second, time.Hour), func(c *Cell) *time.Duration { return &c.StopTimeout }),
	},
	blocks: []child[Cell]{
		always("restart_limit", &restartBlock, func(c *Cell) *RestartMax { return &c.RestartMax }),
		maybe("kernel", &kernelBlock, func(c *Cell) **Kernel { return &c.Kernel }),
		maybe("loader", &loaderBlock, func(c *Cell) **Loader { return &c.Boot.Loader }),
		many("disk", "a name", nameRule, &diskBlock, func(d *Disk) *string { return &d.Label }, func(c *Cell) *[]Disk { return &c.Disks }),
		many("nic", "a name", nameRule, &nicBlock, func(n *NIC) *string { return &n.Label }, func(c *Cell) *[]NIC { return &c.NICs }),
		many("bridge", "the name of a bridge", interfaceRule, &bridgeBlock, func(b *Bridge) *string { return &b.Name }, func(c *Cell) *[]Bridge { return &c.Bridges }),
		many("share", "a name", nameRule, &shareBlock, func(s *Share) *string { return &s.Label }, func(c *Cell) *[]Share { return &c.Shares }),
		many("passthru", "a name", nameRule, &passthruBlock, func(p *Passthru) *string { return &p.Label }, func(c *Cell) *[]Passthru { return &c.Passthru }),
		maybe("screen", &screenBlock, func(c *Cell) **Screen { return &c.Screen }),
		always("console", &consoleBlock, func(c *Cell) *Console { return &c.Console }),
		maybe("gdb", &gdbBlock, func(c *Cell) **GDB { return &c.GDB }),
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

var diskBlock = block[Disk]{
	attrs: []attr[Disk]{
		at("file", path(), func(d *Disk) *string { return &d.File }),
		at("zvol", text(zvolRule), func(d *Disk) *string { return &d.Zvol }),
		at("iso", path(), func(d *Disk) *string { return &d.ISO }),
		at("device", path(deviceRule), func(d *Disk) *string { return &d.Device }),
		at("format", choice(FormatRaw, FormatQcow2), func(d *Disk) *DiskFormat { return &d.Format }),
		at("size", size(MiB, 1024*TiB, MiB), func(d *Disk) *Size { return &d.Size }),
		at("reserved", boolean, func(d *Disk) *bool { return &d.Reserved }),
		at("read_only", boolean, func(d *Disk) *bool { return &d.ReadOnly }),
		at("model", choice("virtio", "ahci", "nvme"), func(d *Disk) *string { return &d.Model }),
	},
	fresh: func() Disk { return Disk{} },
	check: checkDisk,
}

var nicBlock = block[NIC]{
	attrs: []attr[NIC]{
		at("bridge", text(interfaceRule), func(n *NIC) *string { return &n.Bridge }),
		at("tap", text(interfaceRule), func(n *NIC) *string { return &n.Tap }),
		at("mac", macAddress, func(n *NIC) *string { return &n.MAC }),
		at("model", choice("virtio", "e1000"), func(n *NIC) *string { return &n.Model }),
	},
	fresh: func() NIC { return NIC{Model: "virtio"} },
	check: func(r *reader, path string, _ *NIC) { r.exactlyOne(path, "nic", "bridge", "tap") },
}

var bridgeBlock = block[Bridge]{
	attrs: []attr[Bridge]{
		at("create", boolean, func(b *Bridge) *bool { return &b.Create }),
		at("uplink", text(interfaceRule), func(b *Bridge) *string { return &b.Uplink }),
	},
	fresh: func() Bridge { return Bridge{} },
	check: checkBridge,
}

var shareBlock = block[Share]{
	attrs: []attr[Share]{
		at("path", path(shareRule), func(s *Share) *string { return &s.Path }),
		at("read_only", boolean, func(s *Share) *bool { return &s.ReadOnly }),
	},
	fresh: func() Share { return Share{} },
	check: func(r *reader, path string, _ *Share) { r.need(path, "path", `path = "/srv/share"`) },
}

var passthruBlock = block[Passthru]{
	attrs: []attr[Passthru]{
		at("pci", pciAddress, func(p *Passthru) *string { return &p.PCI }),
	},
	fresh: func() Passthru { return Passthru{} },
	check: func(r *reader, path string, _ *Passthru) { r.need(path, "pci", `pci = "3/0/0"`) },
}

// The sizes of a screen are those that bhyve's frame buffer takes.
var screenBlock = block[Screen]{
	attrs: []attr[Screen]{
		at("listen", listen, func(s *Screen) *string { return &s.Listen }),
		at("width", count(640, 3840, ""), func(s *Screen) *int { return &s.Width }),
		at("height", count(480, 2160, ""), func(s *Screen) *int { return &s.Height }),
		at("password_file", path(), func(s *Screen) *string { return &s.PasswordFile }),
		at("wait", boolean, func(s *Screen) *bool { return &s.Wait }),
	},
	fresh: func() Screen { return Screen{Width: 1024, Height: 768} },
}

var consoleBlock = block[Console]{
	attrs: []attr[Console]{
		at("log_size", size(4*KiB, GiB, KiB), func(c *Console) *Size { return &c.LogSize }),
		at("device", path(nmdmRule), func(c *Console) *string { return &c.Device }),
	},
	fresh: func() Console { return Console{LogSize: MiB} },
}

var gdbBlock = block[GDB]{
	attrs: []attr[GDB]{
		at("listen", listen, func(g *GDB) *string { return &g.Listen }),
		at("wait", boolean, func(g *GDB) *bool { return &g.Wait }),
	},
	fresh: func() GDB { return GDB{} },
	check: func(r *reader, path string, _ *GDB) { r.need(path, "listen", `listen = "127.0.0.1:1234"`) },
}

var jailBlock = block[Jail]{
	attrs: []attr[Jail]{
		at("network", choice(NetworkNone, NetworkShared, NetworkVnet), func(j *Jail) *Network { return &j.Network }),
		at("ip4", list(address(false), true), func(j *Jail) *[]string { return &j.IP4 }),
		at("ip6", list(address(true), true), func(j *Jail) *[]string { return &j.IP6 }),
		at("root", path(rootRule), func(j *Jail) *string { return &j.Root }),
		at("allow_missing", list(layerName, true), func(j *Jail) *[]string { return &j.AllowMissing }),
	},
	blocks: []child[Jail]{
		always("limits", &limitsBlock, func(j *Jail) *Limits { return &j.Limits }),
	},
	fresh: func() Jail { return Jail{Network: NetworkNone, Limits: limitsBlock.fresh()} },
	check: checkJail,
}

var limitsBlock = block[Limits]{
	attrs: []attr[Limits]{
		at("memory_overhead", size(16*MiB, TiB, MiB), func(l *Limits) *Size { return &l.MemoryOverhead }),
		at("processes", count(1, 100_000, ""), func(l *Limits) *int { return &l.Processes }),
		at("open_files", count(32, 1_000_000, ""), func(l *Limits) *int { return &l.OpenFiles }),
		at("cpu", percent(100*maxCPUs), func(l *Limits) *int { return &l.CPU }),
	},
	fresh: func() Limits { return Limits{MemoryOverhead: 256 * MiB} },
}

var hypervisorBlock = block[Hypervisor]{
	attrs: []attr[Hypervisor]{
		at("args", list(text(notEmpty), false), func(h *Hypervisor) *[]string { return &h.Args }),
	},
	fresh: func() Hypervisor { return Hypervisor{} },
}
