package cell

// What is about the jail and not the guest.

var jailBlock = block[Jail]{
	attrs: []attr[Jail]{
		at("network", choice(NetworkNone, NetworkShared, NetworkVnet), func(j *Jail) *Network { return &j.Network }),
		at("ip4", list(ipAddress(false), true), func(j *Jail) *[]string { return &j.IP4 }),
		at("ip6", list(ipAddress(true), true), func(j *Jail) *[]string { return &j.IP6 }),
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
		at("disk", size(16*MiB, 1024*TiB, MiB), func(l *Limits) *Size { return &l.Disk }),
	},
	fresh: func() Limits { return Limits{} }, // they follow from the rest: complete
}

var hypervisorBlock = block[Hypervisor]{
	attrs: []attr[Hypervisor]{
		at("args", list(text(notEmpty), false), func(h *Hypervisor) *[]string { return &h.Args }),
	},
	fresh: func() Hypervisor { return Hypervisor{} },
}
