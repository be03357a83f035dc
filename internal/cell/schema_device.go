package cell

// What the guest sees as a device.

var diskBlock = block[Disk]{
	attrs: []attr[Disk]{
		at("file", path(), func(d *Disk) *string { return &d.File }),
		at("zvol", text(zvolRule), func(d *Disk) *string { return &d.Zvol }),
		at("iso", path(), func(d *Disk) *string { return &d.ISO }),
		at("device", path(deviceRule), func(d *Disk) *string { return &d.Device }),
		at("base", path(), func(d *Disk) *string { return &d.Base }),
		at("image", text(imageRule), func(d *Disk) *string { return &d.Image }),
		at("disposable", boolean, func(d *Disk) *bool { return &d.Disposable }),
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
		at("network", choice(NetworkSinkhole, NetworkUser, NetworkLab), func(n *NIC) *string { return &n.Network }),
		at("vlan", count(1, 4094, "a VLAN has 12 bits, and the first and the last mean something else"), func(n *NIC) *int { return &n.VLAN }),
		at("isolated", boolean, func(n *NIC) *bool { return &n.Isolated }),
		at("rate_in", size(8*KiB, 2*GiB, 1), func(n *NIC) *Size { return &n.RateIn }),
		at("rate_out", size(8*KiB, 2*GiB, 1), func(n *NIC) *Size { return &n.RateOut }),
		at("segment", text(nameRule), func(n *NIC) *string { return &n.Segment }),
		at("allow", list(text(allowRule), true), func(n *NIC) *[]string { return &n.Allow }),
		at("dns", addresses, func(n *NIC) *map[string]string { return &n.DNS }),
		at("capture", boolean, func(n *NIC) *bool { return &n.Capture }),
		at("capture_size", size(2*MiB, TiB, MiB), func(n *NIC) *Size { return &n.CaptureSize }),
		at("mac", macAddress, func(n *NIC) *string { return &n.MAC }),
		at("model", choice("virtio", "e1000"), func(n *NIC) *string { return &n.Model }),
	},
	blocks: []child[NIC]{
		many("answer", "what it answers", answerRule, &answerBlock, func(a *Answer) *string { return &a.Of }, func(n *NIC) *[]Answer { return &n.Answers }),
	},
	fresh: func() NIC { return NIC{Model: "virtio"} },
	check: checkNIC,
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
