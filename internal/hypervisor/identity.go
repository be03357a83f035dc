package hypervisor

import (
	"strings"

	"skep/internal/cell"
)

// qemuIdentity is what the board's tables say of it, and its clock. SMBIOS has a maker for each part of a
// machine, and QEMU its own name for each that is not given.
func qemuIdentity(c *cell.Cell) []Option {
	var opts []Option
	if i := c.Identity; i != nil {
		for _, table := range []string{
			smbios("0", "vendor", i.Manufacturer, "uefi", optional(i.Manufacturer != "" && c.Boot.Kind == cell.BootUEFI, "on")),
			smbios("1", "manufacturer", i.Manufacturer, "product", i.Product, "serial", i.Serial, "uuid", i.UUID),
			smbios("2", "manufacturer", i.Manufacturer, "product", i.Product, "serial", i.Serial),
			smbios("3", "manufacturer", i.Manufacturer, "serial", i.Serial),
			smbios("4", "manufacturer", i.Manufacturer, "version", i.CPUName),
			smbios("17", "manufacturer", i.Manufacturer),
		} {
			if table != "" {
				opts = append(opts, Option{Flag: "-smbios", Value: table, Why: "what the machine calls itself", Source: "identity"})
			}
		}
	}
	if c.Clock != nil {
		base, source := strings.TrimSuffix(c.Clock.Start, "Z"), "clock.start"
		if c.Clock.Offset != "" {
			source = "clock.offset"
		}
		if base == "" { // it is not started: the offset is from when it is
			base = "$(date -u -d '" + c.Clock.Offset + "' +%FT%T)"
		}
		opts = append(opts, Option{Flag: "-rtc", Value: "base=" + base, Why: "the time of day at the start, UTC", Source: source})
	}
	return opts
}

// smbios is a table of a type with those of its fields that have a value, or "" where none has.
func smbios(kind string, fields ...string) string {
	var all []string
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1] != "" {
			all = append(all, fields[i]+"="+fields[i+1])
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "type=" + kind + "," + strings.Join(all, ",")
}

// bhyveIdentity is the same in the words of bhyve_config(5).
func bhyveIdentity(c *cell.Cell) []Option {
	i := c.Identity
	if i == nil {
		return nil
	}
	var opts []Option
	for _, f := range [][2]string{
		{"bios.vendor", i.Manufacturer},
		{"system.manufacturer", i.Manufacturer},
		{"system.product_name", i.Product},
		{"system.serial_number", i.Serial},
		{"board.manufacturer", i.Manufacturer},
		{"board.product_name", i.Product},
		{"board.serial_number", i.Serial},
		{"chassis.manufacturer", i.Manufacturer},
		{"chassis.serial_number", i.Serial},
	} {
		if f[1] != "" {
			opts = append(opts, Option{Flag: "-o", Value: f[0] + "=" + f[1], Why: "what the machine calls itself", Source: "identity"})
		}
	}
	if i.UUID != "" {
		opts = append(opts, Option{Flag: "-U", Value: i.UUID, Why: "the machine's UUID", Source: "identity.uuid"})
	}
	return opts
}
