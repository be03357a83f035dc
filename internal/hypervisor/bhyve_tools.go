package hypervisor

import (
	"cmp"

	"skep/internal/cell"
)

// BhyveloadArgs is bhyveload's command line for boot = "loader", without
// argument zero. It runs in the cell too: it reads what the guest wrote.
func BhyveloadArgs(c *cell.Cell, in BhyveInput) []string { return Argv(BhyveloadOptions(c, in)) }

// BhyveloadOptions is the same with the reason of each option.
func BhyveloadOptions(c *cell.Cell, in BhyveInput) []Option {
	opts := []Option{
		{Flag: "-c", Value: in.Console, Why: "the boot menu is on the guest's serial port", Source: "console"},
		{Flag: "-m", Value: bhyveMemory(c.Memory), Why: "what bhyve is told as well", Source: "memory"},
	}
	if in.LoaderDisk != "" {
		opts = append(opts, Option{Flag: "-d", Value: in.LoaderDisk, Why: "boots from a copy of disk " + c.Disks[0].Label + ": what it boots it opens for writing", Source: "disk." + c.Disks[0].Label})
	}
	for _, d := range c.Disks {
		if d.ReadOnly || d.ISO != "" {
			continue // it would be opened for writing, and is not needed to boot
		}
		opts = append(opts, Option{Flag: "-d", Value: in.Disks[d.Label], Why: "boots from disk " + d.Label, Source: "disk." + d.Label})
	}
	if len(c.Passthru) > 0 {
		opts = append(opts, Option{Flag: "-S", Why: "memory is wired from the start, as bhyve will have it", Source: "passthru." + c.Passthru[0].Label})
	}
	if l := c.Boot.Loader; l != nil {
		for _, e := range l.Env {
			opts = append(opts, Option{Flag: "-e", Value: e, Why: "a variable of the loader's", Source: "boot"})
		}
		if l.OS != "" {
			opts = append(opts, Option{Flag: "-l", Value: cmp.Or(in.LoaderOS, l.OS), Why: "another loader", Source: "boot"})
		}
		if l.HostPath != "" {
			opts = append(opts, Option{Flag: "-h", Value: cmp.Or(in.LoaderHost, l.HostPath), Why: "what the loader sees as host:", Source: "loader.host_path"})
		}
	}
	return append(opts, Option{Value: c.Name, Why: "the VM that it makes and bhyve then runs"})
}

// BhyvectlDestroyArgs ends a VM. To be run inside the jail, before that goes:
// from then on the VM would hold its name against all others.
func BhyvectlDestroyArgs(name string) []string {
	return []string{"--vm=" + name, "--destroy"}
}

// BhyvectlPowerOffArgs ends a guest that does not listen, so that bhyve exits
// by itself.
func BhyvectlPowerOffArgs(name string) []string {
	return []string{"--vm=" + name, "--force-poweroff"}
}
