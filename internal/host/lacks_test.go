package host

import (
	"errors"
	"testing"

	"skep/internal/cell"
	"skep/internal/fault"
)

// What is missing is said once, with the command of this distribution.
func TestLacks(t *testing.T) {
	uefi := cell.Boot{Kind: cell.BootUEFI}
	for _, tt := range []struct {
		name  string
		c     cell.Cell
		f     Facts
		lacks func(*cell.Cell, Facts) error
		hint  string // "" where nothing is missing
	}{
		{"no firmware asked for", cell.Cell{}, Facts{Linux: &Linux{}}, LacksFirmware, ""},
		{"Debian", cell.Cell{Boot: uefi}, Facts{Distro: "debian", Linux: &Linux{}}, LacksFirmware, "apt install ovmf"},
		{"Fedora", cell.Cell{Boot: uefi}, Facts{Distro: "fedora", Linux: &Linux{}}, LacksFirmware, "dnf install edk2-ovmf"},
		{"with keys", cell.Cell{Boot: uefi, SecureBoot: true}, Facts{Distro: "arch", Linux: &Linux{OVMF: &OVMF{}}}, LacksFirmware, "pacman -S edk2-ovmf"},
		{"there", cell.Cell{Boot: uefi}, Facts{Linux: &Linux{OVMF: &OVMF{}}}, LacksFirmware, ""},
		{"FreeBSD", cell.Cell{Boot: uefi}, Facts{OS: "freebsd", FreeBSD: &FreeBSD{}}, LacksFirmware, "pkg install edk2-bhyve"},
		{"FreeBSD has it", cell.Cell{Boot: uefi}, Facts{OS: "freebsd", FreeBSD: &FreeBSD{Firmware: []string{"/x"}}}, LacksFirmware, ""},
		{"a TPM", cell.Cell{TPM: &cell.TPM{}}, Facts{Distro: "suse", Linux: &Linux{}}, LacksTPM, "zypper install swtpm"},
		{"a TPM is there", cell.Cell{TPM: &cell.TPM{}}, Facts{Linux: &Linux{SWTPM: "/usr/bin/swtpm"}}, LacksTPM, ""},
		{"no TPM", cell.Cell{}, Facts{Linux: &Linux{}}, LacksTPM, ""},
	} {
		err := tt.lacks(&tt.c, tt.f)
		var f *fault.Error
		if got := errors.As(err, &f); got != (tt.hint != "") || got && f.Hint != tt.hint {
			t.Errorf("%s: %v, want the hint %q", tt.name, err, tt.hint)
		}
	}
}
