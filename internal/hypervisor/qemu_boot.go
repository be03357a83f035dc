package hypervisor

import "skep/internal/cell"

func hasFlash(c *cell.Cell) bool {
	switch c.Boot.Kind {
	case cell.BootHello, cell.BootUEFI, cell.BootFirmware:
		return true
	}
	return false
}

// qemuBoot is what the guest executes first.
func qemuBoot(c *cell.Cell, in QEMUInput) []Option {
	var opts []Option
	if hasFlash(c) {
		opts = append(opts, in.addFD(FDFlashCode, "boot"), flash("flash0", in.fdset(FDFlashCode), "on",
			"the firmware, as read-only flash: unlike -bios it comes by descriptor"))
	}
	if c.Boot.Kind == cell.BootUEFI {
		opts = append(opts, in.addFD(FDFlashVars, "boot"), flash("flash1", in.fdset(FDFlashVars), "off",
			"this cell's own UEFI variables"))
		if c.SecureBoot {
			opts = append(opts, Option{Flag: "-global", Value: "driver=cfi.pflash01,property=secure,value=on",
				Why: "only the firmware, in system management mode, changes its variables", Source: "secure_boot"})
		}
	}
	if k := c.Kernel; c.Boot.Kind == cell.BootKernel && k != nil {
		opts = append(opts, Option{Flag: "-kernel", Value: in.KernelPath, Why: "the kernel, a file of the rootfs until it empties", Source: "kernel.image"})
		if k.Initrd != "" {
			opts = append(opts, Option{Flag: "-initrd", Value: in.InitrdPath, Why: "its initial file system", Source: "kernel.initrd"})
		}
		if k.Cmdline != "" {
			opts = append(opts, Option{Flag: "-append", Value: k.Cmdline, Why: "the kernel's command line", Source: "kernel.cmdline"})
		}
	}
	return opts
}

func flash(node, path, readOnly, why string) Option {
	return Option{Flag: "-blockdev", Value: props("driver=file", "node-name="+node, "filename="+path,
		"read-only="+readOnly, "auto-read-only=off", "locking=off"), Why: why, Source: "boot"}
}

// QEMUDataFiles are the files that QEMU opens in its data directory for a
// cell, by name relative to it. Each was seen in a trace of a real QEMU; a
// test compares.
func QEMUDataFiles(c *cell.Cell) []string {
	var files []string
	if !hasFlash(c) {
		// SeaBIOS. Direct kernel boot runs it too, and a small ROM that fetches the
		// kernel; which one depends on the kernel's format.
		files = append(files, "bios-256k.bin")
	}
	if c.Boot.Kind == cell.BootKernel {
		files = append(files, "linuxboot_dma.bin", "pvh.bin")
	}
	if c.Screen != nil {
		files = append(files, "keymaps/en-us") // VNC does not start without it
		if displayDevice(c) == "VGA" {
			files = append(files, "vgabios-stdvga.bin")
		}
	}
	return files
}
