package host

import (
	"skep/internal/cell"
	"skep/internal/fault"
)

// LacksFirmware refuses boot = "uefi" where this host has no such firmware; nil where nothing is missing.
func LacksFirmware(c *cell.Cell, f Facts) error {
	why := ""
	switch {
	case c.Boot.Kind != cell.BootUEFI:
	case f.FreeBSD != nil && len(f.FreeBSD.Firmware) == 0:
		why = "no UEFI firmware for bhyve is installed"
	case f.Linux != nil && c.SecureBoot && f.Linux.OVMFSecure == nil:
		why = "no UEFI firmware with keys for Secure Boot is installed"
	case f.Linux != nil && !c.SecureBoot && f.Linux.OVMF == nil:
		why = "no UEFI firmware for QEMU is installed"
	}
	if why == "" {
		return nil
	}
	return fault.Cannot(fault.Host, f.Install("ovmf"), "start", c.Name, "%s", why)
}

// LacksTPM refuses a TPM where this host has nothing to make one of.
func LacksTPM(c *cell.Cell, f Facts) error {
	if c.TPM == nil || f.Linux == nil || f.Linux.SWTPM != "" {
		return nil
	}
	return fault.Cannot(fault.Host, f.Install("swtpm"), "start", c.Name, "swtpm is not installed")
}
