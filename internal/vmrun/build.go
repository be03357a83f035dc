package vmrun

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"skep/internal/cell"
	"skep/internal/cellfile"
	"skep/internal/fault"
)

// build makes the cell and has it checked as if it had been written by hand.
func (r *request) build(name string) (*Result, error) {
	c := *cell.Hello()
	c.Name = name
	c.CPUs = cmp.Or(r.cpus, defaultCPUs)
	c.Memory = cmp.Or(r.memory, defaultMemory)
	c.Restart = cell.RestartNever
	c.Console.Device = r.console
	c.GDB = r.gdb
	c.Jail.Limits = cell.Limits{} // follow from the rest
	r.boot(&c)
	r.addDisks(&c)
	r.addNICs(&c)
	for i, pci := range r.passthru {
		c.Passthru = append(c.Passthru, cell.Passthru{Label: label("", "pci", i, map[string]bool{}), PCI: pci})
	}
	c.Hypervisor.Args = r.args
	if r.gdb != nil && !loopback(r.gdb.Listen) {
		r.note("-G: whoever reaches %s reads and writes the guest's memory, without a password", r.gdb.Listen)
	}

	text := cellfile.Encode(&c)
	checked, mistakes := cell.Parse(name+".hcl", text)
	if len(mistakes) > 0 {
		return nil, fault.Wrap(fault.Input, mistakes.Err(), "skep vmrun -h tells what each flag takes", "make a cell of this command line")
	}
	checked.File, checked.Sources = "", nil
	return &Result{Cell: checked, Notes: r.notes}, nil
}

// boot is UEFI with a screen, or bhyveload(8).
func (r *request) boot(c *cell.Cell) {
	if !r.uefi {
		c.Boot = cell.Boot{Kind: cell.BootLoader, Loader: &cell.Loader{Env: r.env, OS: r.loader, HostPath: r.hostBase}}
		for _, f := range r.efiOnly {
			r.note("-%c means nothing without -E", f)
		}
		if r.hostBase != "" {
			r.note("-H %s: the loader, which reads what the guest wrote, sees this directory of the host, which is a relaxation", r.hostBase)
		}
		return
	}
	c.Boot = cell.Boot{Kind: cell.BootUEFI}
	if r.firmware != "" {
		c.Boot = cell.Boot{Kind: cell.BootFirmware, Path: r.firmware}
	}
	if len(r.env) > 0 || r.loader != "" || r.hostBase != "" {
		r.note("-e, -l and -H are for bhyveload(8) and mean nothing with -E")
	}
	c.Screen = &cell.Screen{Width: cmp.Or(r.width, 1024), Height: cmp.Or(r.height, 768), Wait: r.wait}
	if r.host == "" && r.port == "" {
		r.note("the screen is on a UNIX socket that only its owner can open, not on port %s for everybody on this host; -L or -P bring the port back", defaultPort)
	} else {
		listen, _ := address('L', "", cmp.Or(r.host, defaultHost), cmp.Or(r.port, defaultPort)) // both were tried
		c.Screen.Listen = listen
		if loopback(listen) {
			r.note("the screen listens on %s without a password: every user of this host can watch and type", listen)
		} else {
			r.note("the screen listens on %s without a password: everybody who reaches that address can watch and type; screen { password_file = … } sets one", listen)
		}
	}
	// A screen of skep's has a tablet always: -T asks for nothing more.
}

func loopback(listen string) bool {
	return strings.HasPrefix(listen, "127.") || strings.HasPrefix(listen, "[::1]")
}

func (r *request) addDisks(c *cell.Cell) {
	if len(r.disks) == 0 {
		r.disks = []disk{{path: r.absolute(defaultDisk)}}
		r.note("no -d: the disk is %s", r.disks[0].path)
	}
	used := map[string]bool{}
	for i, d := range r.disks {
		made := cell.Disk{ReadOnly: d.readOnly, Model: "virtio", Label: label(path.Base(d.path), "disk", i, used)}
		if r.ahci {
			made.Model = "ahci"
		}
		if zvol, ok := strings.CutPrefix(d.path, "/dev/zvol/"); ok {
			made.Zvol = zvol
		} else if strings.HasPrefix(d.path, "/dev/") {
			made.Device = d.path
			r.note("-d %s: a raw device of the host is a relaxation", d.path)
		} else {
			made.File, made.Format = d.path, cell.FormatRaw
			if !d.readOnly {
				made.Size = newDiskSize // the script makes it, too
			}
		}
		c.Disks = append(c.Disks, made)
	}
	if !r.needsISO() {
		return
	}
	iso := cell.Disk{Label: label("install", "disk", len(r.disks), used), ISO: r.absolute(cmp.Or(r.iso, defaultISO)), ReadOnly: true, Model: "ahci"}
	if r.uefi {
		c.Disks = append(c.Disks, iso) // the firmware tries the other disks first
	} else {
		c.Disks = slices.Insert(c.Disks, 0, iso) // bhyveload boots the first
	}
}

// needsISO decides as the script does: when it is told to, or when the first
// disk has nothing to boot from.
func (r *request) needsISO() bool {
	if r.force {
		return true
	}
	if r.o.Bootable == nil {
		if r.iso != "" {
			r.note("-I %s is used with -i only: nobody looked whether the disk boots", r.iso)
		}
		return false
	}
	boots, err := r.o.Bootable(r.disks[0].path)
	if err != nil {
		r.note("%s: %v; it is taken for a disk without a system", r.disks[0].path, err)
	} else if !boots {
		r.note("%s has nothing to boot from: the installation image is booted", r.disks[0].path)
	}
	return !boots
}

func (r *request) addNICs(c *cell.Cell) {
	if len(r.nics) == 0 {
		r.nics = []nic{{tap: defaultTap}}
		r.note("no -t: the network card is on %s", defaultTap)
	}
	used := map[string]bool{}
	for i, n := range r.nics {
		c.NICs = append(c.NICs, cell.NIC{
			Label: label(n.tap, "nic", i, used),
			Tap:   n.tap,
			MAC:   cmp.Or(n.mac, defaultMAC(i, c.Name)),
			Model: cmp.Or(r.nicModel, "virtio"),
		})
	}
}
