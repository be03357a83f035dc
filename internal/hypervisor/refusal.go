package hypervisor

import (
	"fmt"

	"skep/internal/cell"
)

// Refusal is something in a cell that a hypervisor cannot do, found before it
// is asked to.
type Refusal struct {
	Source string // as Option.Source
	Text   string // "cannot …"
	Hint   string
}

// QEMURefuses lists all in a cell that QEMU cannot do.
func QEMURefuses(c *cell.Cell) []Refusal {
	var list []Refusal
	if c.Boot.Kind == cell.BootLoader {
		list = append(list, Refusal{"boot", "cannot boot with a loader on a Linux host", `bhyveload(8) is FreeBSD's; use a kernel block or boot = "uefi"`})
	}
	for _, d := range c.Disks {
		if d.Model == "ahci" && d.ReadOnly && d.ISO == "" {
			list = append(list, Refusal{"disk." + d.Label, fmt.Sprintf("cannot make disk %q read-only with the model ahci on a Linux host", d.Label), `model = "virtio" or "nvme"`})
		}
	}
	for _, s := range c.Shares {
		list = append(list, Refusal{"share." + s.Label, "cannot share a directory with the guest on a Linux host", "a directory is not a descriptor: use a disk"})
	}
	for _, p := range c.Passthru {
		list = append(list, Refusal{"passthru." + p.Label, "cannot pass a PCI device through on a Linux host", "passthru works on FreeBSD hosts"})
	}
	if c.Screen != nil && c.Screen.Wait {
		list = append(list, Refusal{"screen.wait", "cannot wait for a viewer on a Linux host", "leave wait out"})
	}
	if c.Console.Device != "" {
		list = append(list, Refusal{"console.device", "cannot use a null modem for the console on a Linux host", "leave console.device out: the console is a socket here"})
	}
	return append(list, argsRefused(qemuArguments(c.Hypervisor.Args), qemuRefused)...)
}

// BhyveRefuses lists all in a cell that bhyve cannot do.
func BhyveRefuses(c *cell.Cell) []Refusal {
	var list []Refusal
	if c.Boot.Kind == cell.BootKernel {
		list = append(list, Refusal{"kernel", "cannot boot a kernel directly on a FreeBSD host", `bhyve boots firmware or a loader: boot = "uefi", or "loader" for a FreeBSD guest`})
	}
	if c.Boot.Kind == cell.BootBIOS {
		list = append(list, Refusal{"boot", "cannot boot with a BIOS on a FreeBSD host", `bhyve has none: boot = "uefi", or "loader" for a FreeBSD guest`})
	}
	if c.Accel == cell.AccelTCG || c.Accel == cell.AccelKVM {
		list = append(list, Refusal{"accel", fmt.Sprintf("cannot use accel = %q on a FreeBSD host", string(c.Accel)), "leave accel out: bhyve runs guests on the processor itself"})
	}
	for _, d := range c.Disks {
		if d.Format == cell.FormatQcow2 {
			list = append(list, Refusal{"disk." + d.Label, fmt.Sprintf("cannot use disk %q: bhyve reads no qcow2 on a FreeBSD host", d.Label), "qemu-img convert -O raw makes one that bhyve reads"})
		}
	}
	if s := c.Screen; s != nil && (s.Width < 640 || s.Height < 480 || s.Width > 3840 || s.Height > 2160) {
		list = append(list, Refusal{"screen", fmt.Sprintf("cannot show %dx%d on bhyve", s.Width, s.Height), "640x480 to 3840x2160"})
	}
	if c.TPM != nil {
		list = append(list, Refusal{"tpm", "cannot give the guest a TPM on a FreeBSD host", "skep gives bhyve none: leave the tpm block out"})
	}
	if c.SecureBoot {
		list = append(list, Refusal{"secure_boot", "cannot boot securely on a FreeBSD host", "the firmware of bhyve has no Secure Boot: leave secure_boot out"})
	}
	if c.Clock != nil {
		list = append(list, Refusal{"clock", "cannot set the guest's clock on a FreeBSD host", "bhyve's clock is the host's: leave the clock block out"})
	}
	if c.Identity != nil && c.Identity.CPUName != "" {
		list = append(list, Refusal{"identity.cpu_name", "cannot name the guest's processor on a FreeBSD host", "bhyve passes the processor's own name on: leave cpu_name out"})
	}
	for _, n := range c.NICs {
		if n.VLAN > 0 {
			list = append(list, Refusal{"nic." + n.Label + ".vlan", fmt.Sprintf("cannot put network card %q into a VLAN on a FreeBSD host", n.Label),
				"make a bridge for it: ifconfig vlan20 create vlandev em0 vlan 20, and that on a bridge of its own"})
		}
		if n.RateIn > 0 || n.RateOut > 0 {
			at := ".rate_in"
			if n.RateIn == 0 {
				at = ".rate_out"
			}
			list = append(list, Refusal{"nic." + n.Label + at, fmt.Sprintf("cannot limit network card %q on a FreeBSD host", n.Label),
				"dummynet(4) does: ipfw pipe 1 config bw 10Mbit/s, and net.link.bridge.ipfw=1"})
		}
		if n.Network == cell.NetworkLab {
			list = append(list, Refusal{"nic." + n.Label + ".network", fmt.Sprintf("cannot put network card %q on a segment on a FreeBSD host", n.Label),
				"no switch joins the network stacks of two cells there: have them name one bridge without an uplink, bridge \"lab0\" { create = true }"})
		}
	}
	if n := len(c.NICs) + len(c.Drives()) + len(c.Shares) + len(c.Passthru); n > BhyveDevicesMax {
		list = append(list, Refusal{"", fmt.Sprintf("cannot fit %d devices on bhyve's bus", n), fmt.Sprintf("at most %d", BhyveDevicesMax)})
	}
	return append(list, argsRefused(bhyveArguments(c.Hypervisor.Args), bhyveRefused)...)
}

// ArgsRefused lists the arguments in a cell that a hypervisor is not given.
func ArgsRefused(c *cell.Cell, s System) []Refusal {
	if s == Bhyve {
		return argsRefused(bhyveArguments(c.Hypervisor.Args), bhyveRefused)
	}
	return argsRefused(qemuArguments(c.Hypervisor.Args), qemuRefused)
}
