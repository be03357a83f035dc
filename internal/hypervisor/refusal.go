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
		list = append(list, Refusal{"boot", `cannot boot with bhyveload(8) on QEMU`, `boot = "uefi", or a kernel block`})
	}
	for _, d := range c.Disks {
		if d.Model == "ahci" && d.ReadOnly && d.ISO == "" {
			list = append(list, Refusal{"disk." + d.Label, "cannot make an ahci disk of QEMU's read-only", `model = "virtio" or "nvme"`})
		}
	}
	for _, s := range c.Shares {
		list = append(list, Refusal{"share." + s.Label, "cannot share a directory with a guest of QEMU's", "put it on a disk"})
	}
	for _, p := range c.Passthru {
		list = append(list, Refusal{"passthru." + p.Label, "cannot pass a device through to a guest of QEMU's", "leave the block out on Linux"})
	}
	if c.Screen != nil && c.Screen.Wait {
		list = append(list, Refusal{"screen.wait", "cannot wait for a viewer on QEMU", "leave wait out on Linux"})
	}
	if c.Console.Device != "" {
		list = append(list, Refusal{"console.device", "cannot use a null modem on Linux", "leave device out: the console is always there"})
	}
	return list
}

// BhyveRefuses lists all in a cell that bhyve cannot do.
func BhyveRefuses(c *cell.Cell) []Refusal {
	var list []Refusal
	if c.Boot.Kind == cell.BootKernel {
		list = append(list, Refusal{"kernel", "cannot boot a kernel directly on bhyve", `boot = "uefi" with the kernel on a disk, or boot = "loader" for FreeBSD`})
	}
	if c.Accel == cell.AccelTCG || c.Accel == cell.AccelKVM {
		list = append(list, Refusal{"accel", fmt.Sprintf("cannot use %s on FreeBSD", c.Accel), `leave accel out: bhyve always uses the processor's own virtualization`})
	}
	for _, d := range c.Disks {
		if d.Format == cell.FormatQcow2 {
			list = append(list, Refusal{"disk." + d.Label, "cannot use a qcow2 image with bhyve", "convert it: qemu-img convert -O raw"})
		}
	}
	if s := c.Screen; s != nil && (s.Width < 640 || s.Height < 480 || s.Width > 3840 || s.Height > 2160) {
		list = append(list, Refusal{"screen", fmt.Sprintf("cannot show %dx%d on bhyve", s.Width, s.Height), "640x480 to 3840x2160"})
	}
	if n := len(c.NICs) + len(c.Disks) + len(c.Shares) + len(c.Passthru); n > BhyveDevicesMax {
		list = append(list, Refusal{"", fmt.Sprintf("cannot fit %d devices on bhyve's bus", n), fmt.Sprintf("at most %d", BhyveDevicesMax)})
	}
	return list
}
