package hypervisor

import (
	"fmt"
	"strconv"
	"strings"

	"skep/internal/cell"
)

// BhyveInput is what a bhyve command line needs besides the cell: what this
// host's bhyve can do, and where the rootfs has things. Every path in it is a
// path of the rootfs.
type BhyveInput struct {
	// ACPI asks for ACPI tables, for which most bhyves need iasl, sh and a /tmp.
	ACPI bool
	// TablesOption: bhyve knows acpi_tables of bhyve_config(5). Up to FreeBSD 14 it is false unless
	// -A sets it; from 15 on it is true, and -A sets nothing.
	TablesOption bool
	MonitorMode  bool // -M: the VM goes with its bhyve
	VNCUnix      bool // fbuf takes rfb=unix:PATH
	Random       bool // the rootfs has /dev/random, which virtio-rnd opens

	LoaderOS   string // where the rootfs has another loader, "" without one
	LoaderHost string // where the rootfs has what the loader sees as host:
	LoaderDisk string // where the rootfs has a copy of the first disk, where that may not be written to
	Firmware   string // the boot ROM; "" with boot = "loader"
	FirmwareRW string // this cell's own UEFI variables, "" where the firmware has none
	// ConfigFile is for -k and holds what must not be on a command line; ""
	// where there is nothing to hide. See BhyveConfig.
	ConfigFile string
	// Console is a device node, such as /dev/nmdm-NAMEA, or "stdio".
	Console string
	// ScreenAddress is "ip:port", or ScreenSocket is the path of a UNIX socket.
	ScreenAddress, ScreenSocket string

	Disks  map[string]string // by label: image files and device nodes
	Taps   map[string]string // by label: names of taps
	Shares map[string]string // by label: directories
}

// bhyve's slots. Those of vmrun.sh where it has a device, so that a guest made
// with it finds its devices again: network cards from 2 on, then disks, then
// what is passed through.
const (
	bhyveSlotFirst = 2
	bhyveSlotRNG   = 28
	bhyveSlotFbuf  = 29
	bhyveSlotXHCI  = 30
	bhyveSlotLPC   = 31
	bhyveFunctions = 8
)

// BhyveArgs is bhyve's command line for a cell, without argument zero.
func BhyveArgs(c *cell.Cell, in BhyveInput) []string { return Argv(BhyveOptions(c, in)) }

// BhyveOptions is the same with the reason of each option.
func BhyveOptions(c *cell.Cell, in BhyveInput) []Option {
	opts := bhyveMachine(c, in)
	opts = append(opts, bhyveIdentity(c)...)
	opts = append(opts, bhyveDevices(c, in)...)
	opts = append(opts, bhyveScreen(c, in)...)
	opts = append(opts, bhyveLPC(c, in)...)
	if c.GDB != nil {
		wait := optional(c.GDB.Wait, "w")
		opts = append(opts, Option{Flag: "-G", Value: wait + c.GDB.Listen, Why: "a debug stub: full control of the guest", Source: "gdb"})
	}
	if in.ConfigFile != "" {
		// Read in order with the other options: fbuf must be on its slot by now.
		opts = append(opts, Option{Flag: "-k", Value: in.ConfigFile, Why: "what must not be on a command line", Source: "screen.password_file"})
	}
	for _, a := range c.Hypervisor.Args {
		opts = append(opts, Option{Value: a, Why: "asked for by the cell file as it stands", Source: "hypervisor.args"})
	}
	return append(opts, Option{Value: c.Name, Why: "the VM's name; bhyve wants it last"})
}

// bhyveMachine is processors, memory and what the guest's idling does.
func bhyveMachine(c *cell.Cell, in BhyveInput) []Option {
	n := strconv.Itoa(c.CPUs)
	opts := []Option{
		{Flag: "-c", Value: "cpus=" + n + ",sockets=1,cores=" + n + ",threads=1", Why: "processors", Source: "cpus"},
		{Flag: "-m", Value: bhyveMemory(c.Memory), Why: "the guest's memory", Source: "memory"},
		{Flag: "-H", Why: "an idle processor of the guest's gives the host's back"},
		{Flag: "-P", Why: "a waiting one too"},
		{Flag: "-u", Why: "the clock is UTC: the rootfs has no /etc/localtime"},
	}
	switch {
	case in.TablesOption:
		why := "ACPI tables"
		if !in.ACPI {
			why = "no ACPI tables: this guest needs none, and bhyve would need iasl and a shell for them"
		}
		opts = append(opts, Option{Flag: "-o", Value: fmt.Sprintf("acpi_tables=%t", in.ACPI), Why: why, Source: "boot"})
	case in.ACPI:
		opts = append(opts, Option{Flag: "-A", Why: "ACPI tables", Source: "boot"})
	}
	if in.MonitorMode {
		opts = append(opts, Option{Flag: "-M", Why: "the VM is destroyed with its bhyve, however that ends"})
	}
	// Not -D: it destroys the VM after a power-off alone, and only where
	// capability mode lets it. The plan has a step for every end.
	if len(c.Passthru) > 0 {
		opts = append(opts, Option{Flag: "-S", Why: "a passed-through device writes memory that must stay where it is", Source: "passthru." + c.Passthru[0].Label})
	}
	return opts
}

// bhyveMemory: bhyve takes K, M, G and T, and a plain number as mebibytes.
func bhyveMemory(s cell.Size) string {
	if s%cell.MiB == 0 {
		return s.String()
	}
	return strconv.FormatInt(int64((s+cell.KiB-1)/cell.KiB), 10) + "K"
}

// bhyveLPC is the serial port and the boot ROM.
func bhyveLPC(c *cell.Cell, in BhyveInput) []Option {
	opts := []Option{{Flag: "-l", Value: "com1," + in.Console, Why: "the guest's first serial port", Source: "console"}}
	if c.Boot.Kind != cell.BootLoader {
		opts = append(opts, Option{Flag: "-l", Value: props("bootrom,"+in.Firmware, in.FirmwareRW), Why: "the firmware", Source: "boot"})
	}
	return opts
}

// BhyveConfig is the text of the file for -k, "" when there is nothing that
// must stay off the command line. bhyve expands %(name), so a percent sign is
// doubled.
func BhyveConfig(c *cell.Cell, vncPassword string) string {
	if c.Screen == nil || vncPassword == "" {
		return ""
	}
	return fmt.Sprintf("pci.0.%d.0.password=%s\n", bhyveSlotFbuf, strings.ReplaceAll(vncPassword, "%", "%%"))
}
