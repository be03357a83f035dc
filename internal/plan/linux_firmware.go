package plan

import (
	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/layout"
)

// lacksFirmware refuses UEFI where the host has none for QEMU.
func (b *builder) lacksFirmware() error {
	path := ""
	if b.cell.SecureBoot {
		path = "secure_boot"
	}
	return Located(b.cell, path, host.LacksFirmware(b.cell, b.host))
}

// ovmf is the firmware of boot = "uefi"; nil where this host has none.
func (b *builder) ovmf() *host.OVMF {
	if b.cell.SecureBoot {
		return b.host.Linux.OVMFSecure
	}
	return b.host.Linux.OVMF
}

// lacksTPM refuses a TPM where there is nothing to make one of.
func (b *builder) lacksTPM() error { return Located(b.cell, "tpm", host.LacksTPM(b.cell, b.host)) }

// firmware adds what the guest executes first, and its UEFI variables.
func (b *builder) firmware() {
	switch b.cell.Boot.Kind {
	case cell.BootHello:
		b.add("firmware", "boot", "the built-in guest", &Firmware{From: BuiltinHello})
	case cell.BootFirmware:
		b.add("firmware", "boot", "the firmware that the cell file names", &Firmware{From: b.cell.Boot.Path})
	case cell.BootUEFI:
		ovmf := b.ovmf()
		b.add("firmware", "boot", "the host's UEFI firmware", &Firmware{From: ovmf.Code})
		b.add("vars", "boot", "the cell's own UEFI variables; they stay",
			&Vars{Path: b.kept(layout.VarsOf(b.cell.SecureBoot)), From: ovmf.Vars})
	}
}
