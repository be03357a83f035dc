package host

import (
	"fmt"
	"strings"
)

// freebsd adds the rows of a FreeBSD or HardenedBSD host.
func (d *report) freebsd(f Facts) {
	b := f.FreeBSD
	if b.HardenedBSD {
		d.add(OK, "system", "HardenedBSD", "its PaX settings are reported for each cell", "")
	}
	d.either(f.EUID == 0, "privilege", "root", "jails can be made", Fail, fmt.Sprintf("uid %d", f.EUID), "jail(2) is root's", "run skep as root")
	d.either(!b.Jailed, "place", "the host itself", "jails can be made", Fail, "the inside of a jail", "cells need the host",
		"run skep outside, or give this jail children.max, allow.vmm and allow.mount.tmpfs")
	d.bhyve(b)
	switch {
	case b.VMM:
		d.add(OK, "vmm", "vmm.ko is loaded", "jails know allow.vmm", "")
	case b.CPU == "":
		d.add(Fail, "vmm", "neither VT-x nor AMD-V is seen", "bhyve cannot run here", "enable virtualisation in the firmware setup, or nested virtualisation outside")
	default:
		d.add(Fail, "vmm", "vmm.ko is not loaded", "there is no allow.vmm to give to a jail", `kldload vmm; sysrc -f /boot/loader.conf vmm_load="YES"`)
	}
	d.either(b.NMDM, "nmdm", "nmdm.ko is loaded", "consoles are null modems", Fail, "nmdm.ko is not loaded", "cells have no console", `kldload nmdm; sysrc kld_list+="nmdm"`)
	d.either(b.TunTap, "tap", "if_tuntap is there", "nics work", Warn, "if_tuntap is not loaded", "cells have no nics", "kldload if_tuntap")
	d.either(b.VmmCtl, "vmmctl", "/dev/vmmctl is there", "bhyve has a uid of its own in the jail of a cell that opens devices only; it is not given vmmctl",
		Warn, "there is no /dev/vmmctl", "bhyve is uid 0 in its jail until its rootfs is closed: up to 14.x making a VM is root's", "FreeBSD 15 has it")
	d.either(len(b.Firmware) > 0, "uefi", strings.Join(b.Firmware, ", "), `boot = "uefi" works`,
		Warn, "no UEFI firmware", `boot = "uefi" does not work; hello, loader and firmware files do`, f.Install("ovmf"))
	d.either(b.ZFS, "zfs", "ZFS is there", "disks can be zvols", Warn, "no ZFS", "disks are files", "kldload zfs")
	d.either(b.Racct, "rctl", "kern.racct.enable=1", "limits of whole jails hold",
		Warn, "kern.racct.enable=0", "only the limits of single processes hold", `sysrc -f /boot/loader.conf kern.racct.enable=1, then reboot`)
	// Not a fault of the host, and the reason why skep writes rules without
	// includes: others who rely on them should know.
	s, so := OK, "an include within an included ruleset is followed"
	if b.RuleDepth < 2 {
		s, so = Warn, "an include within an included ruleset is NOT followed: a ruleset of your own that begins with devfsrules_jail hides nothing (skep devfs-check); skep's own rules have no includes"
	}
	d.add(s, "devfs", fmt.Sprintf("vfs.devfs.rule_depth=%d", b.RuleDepth), so, "")
}

func (d *report) bhyve(b *FreeBSD) {
	if b.Bhyve == nil {
		d.add(Fail, "bhyve", orElse(b.BhyveWhy, "/usr/sbin/bhyve is not there"), "no cell can run", "pkg install FreeBSD-bhyve (on a packaged base)")
		return
	}
	d.add(OK, "bhyve", fmt.Sprintf("%s with %d files and libraries", b.Bhyve.Path, len(b.Bhyve.Files)), "cells run", "")
	d.either(b.BasicACPI, "acpi", "bhyve writes its ACPI tables itself", "the rootfs needs no shell",
		OK, fmt.Sprintf("bhyve runs iasl through sh for ACPI tables: %d more files", len(b.Bhyve.ACPIFiles)),
		"guests that need ACPI have a shell in their rootfs until it is emptied", "")
	d.either(b.VNCUnix, "screen", "bhyve serves VNC on a UNIX socket", "no network sees a screen unless the cell file says so",
		OK, "bhyve serves VNC on TCP only", "a screen gets a vnet jail with nothing but lo0, and a relay", "")
	d.either(b.MonitorMode, "monitor", "bhyve has monitor mode (-M)", "a VM goes with its bhyve",
		OK, "bhyve has no monitor mode", "skep destroys the VM inside before its jail goes", "")
}
