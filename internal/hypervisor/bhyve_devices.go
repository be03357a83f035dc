package hypervisor

import (
	"fmt"
	"strconv"

	"skep/internal/cell"
)

// bhyveDevices gives each device its place on the bus.
func bhyveDevices(c *cell.Cell, in BhyveInput) []Option {
	opts := []Option{
		{Flag: "-s", Value: "0:0,hostbridge", Why: "the PCI bus"},
		{Flag: "-s", Value: strconv.Itoa(bhyveSlotLPC) + ":0,lpc", Why: "carries the serial port and the boot ROM"},
	}
	next := 0
	add := func(device, why, source string) {
		opts = append(opts, Option{Flag: "-s", Value: bhyvePlace(next) + "," + device, Why: why, Source: source})
		next++
	}
	for _, n := range c.NICs {
		model := "virtio-net"
		if n.Model == "e1000" {
			model = "e1000"
		}
		add(props(model, in.Taps[n.Label], "mac="+n.MAC), "network card "+n.Label, "nic."+n.Label)
	}
	for i, d := range c.Drives() {
		add(props(bhyveDisk(d, in.Disks[d.Label]), serialOf(c, i)), "disk "+d.Label, d.Block())
	}
	for _, p := range c.Passthru {
		add("passthru,"+p.PCI, "a device of the host's", "passthru."+p.Label)
	}
	for _, s := range c.Shares {
		add(props("virtio-9p", s.Label+"="+in.Shares[s.Label], optional(s.ReadOnly, "ro")), "a directory of the host's", "share."+s.Label)
	}
	if in.Random {
		opts = append(opts, Option{Flag: "-s", Value: fmt.Sprintf("%d:0,virtio-rnd", bhyveSlotRNG), Why: "the guest's randomness"})
	}
	return opts
}

// serialOf is the property of a disk whose serial number the cell file gives.
func serialOf(c *cell.Cell, i int) string {
	s := c.Identity.SerialOf(i)
	return optional(s != "", "ser="+s)
}

// bhyvePlace is the place of device n: function 0 of the slots in turn, as
// vmrun.sh does, and once those are full the other functions.
func bhyvePlace(n int) string {
	const slots = bhyveSlotRNG - bhyveSlotFirst
	return fmt.Sprintf("%d:%d", bhyveSlotFirst+n%slots, n/slots)
}

// BhyveDevicesMax is how many disks, cards, shares and passed-through devices
// together fit on the bus.
const BhyveDevicesMax = (bhyveSlotRNG - bhyveSlotFirst) * bhyveFunctions

func bhyveDisk(d cell.Disk, path string) string {
	ro := optional(diskReadOnly(d), "ro")
	switch {
	case d.CD():
		return props("ahci-cd", path, ro)
	case d.Model == "ahci":
		return props("ahci-hd", path, ro)
	case d.Model == "nvme":
		return props("nvme", path, ro)
	default:
		return props("virtio-blk", path, ro)
	}
}

// bhyveScreen is the frame buffer. It must never listen where the cell file
// did not say: bhyve's own default is a port of the host's.
func bhyveScreen(c *cell.Cell, in BhyveInput) []Option {
	s := c.Screen
	if s == nil {
		return nil
	}
	address := "tcp=" + in.ScreenAddress // rfb= came later and means the same
	if in.ScreenAddress == "" {
		address = "tcp=nowhere:" // bhyve refuses it; of nothing it would make 127.0.0.1:5900
	}
	if in.VNCUnix && in.ScreenSocket != "" {
		address = "rfb=unix:" + in.ScreenSocket
	}
	return []Option{
		{Flag: "-s", Value: props(fmt.Sprintf("%d:0,fbuf", bhyveSlotFbuf), address, fmt.Sprintf("w=%d,h=%d", s.Width, s.Height), optional(s.Wait, "wait")),
			Why: "the frame buffer, over VNC", Source: "screen"},
		{Flag: "-s", Value: fmt.Sprintf("%d:0,xhci,tablet", bhyveSlotXHCI), Why: "a pointer that is where the viewer's is", Source: "screen"},
	}
}
