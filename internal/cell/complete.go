package cell

import "strings"

// complete fills in the defaults that follow from other values. What it fills in
// it finds empty, so that a second time changes nothing.
func complete(c *Cell) {
	if c.Kernel != nil {
		c.Boot = Boot{Kind: BootKernel}
	}
	if c.Boot.Kind == BootLoader && c.Boot.Loader == nil {
		c.Boot.Loader = &Loader{}
	}
	if c.Memory == 0 {
		c.Memory = defaultMemory(c)
	}
	for i := range c.Disks {
		completeDisk(&c.Disks[i])
	}
	for i, n := range c.NICs {
		if n.MAC == "" {
			c.NICs[i].MAC = defaultMAC(c.Name, n.Label)
		}
	}
	if c.Jail.Limits.MemoryOverhead == 0 {
		c.Jail.Limits.MemoryOverhead = defaultOverhead(c)
	}
	if c.Jail.Limits.Processes == 0 {
		c.Jail.Limits.Processes = defaultProcesses(c)
	}
	if c.Jail.Limits.OpenFiles == 0 {
		c.Jail.Limits.OpenFiles = defaultOpenFiles(c)
	}
}

func completeDisk(d *Disk) {
	if d.Format == "" {
		d.Format = defaultFormat(d)
	}
	if d.ISO != "" {
		d.ReadOnly = true
	}
	if d.Model == "" {
		d.Model = defaultModel(d)
	}
}

// defaultFormat is never guessed from what is in a file: a guest could write
// another format's header. The name of a base is the administrator's.
func defaultFormat(d *Disk) DiskFormat {
	switch {
	case strings.HasSuffix(d.Base, ".qcow2"):
		return FormatQcow2
	case d.File != "", d.Layered():
		return FormatRaw
	}
	return ""
}

// defaultModel makes an iso a drive with a disc in it, which is what firmware
// and installers look for.
func defaultModel(d *Disk) string {
	if d.ISO != "" {
		return "ahci"
	}
	return "virtio"
}

// defaultMemory is little for the built-in guest, which needs next to none, and
// for others enough for firmware and the kernel of a small system.
func defaultMemory(c *Cell) Size {
	if c.Boot.Kind == BootHello {
		return 64 * MiB
	}
	return 512 * MiB
}

// defaultOverhead has room for QEMU and for what it keeps for each processor:
// with 255 of them and emulation 850 MiB were seen before the guest's first
// instruction.
func defaultOverhead(c *Cell) Size {
	return max(256*MiB, Size(c.CPUs)*4*MiB)
}

// defaultProcesses has room for every thread that a hypervisor starts of itself:
// one for each processor; in QEMU a pool of up to 64 for disks, in bhyve eight a
// disk; and a few for network, screen, timers and the monitor. QEMU gives up
// altogether when a thread cannot be made, so this is no place to be mean.
func defaultProcesses(c *Cell) int {
	return 80 + c.CPUs + 8*len(c.Drives())
}

// defaultOpenFiles has room for the descriptors that QEMU opens of itself: one
// for each processor, and two for each queue, of which a virtio disk has as many
// as there are processors.
func defaultOpenFiles(c *Cell) int {
	return 256 + 2*c.CPUs*(1+len(c.Drives()))
}
