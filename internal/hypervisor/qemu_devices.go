package hypervisor

import (
	"fmt"
	"strconv"

	"skep/internal/cell"
)

// Slots of the PCIe bus are fixed per kind of device, so that one more disk
// does not rename the guest's network cards. What is beyond its range takes
// the next free slot.
const (
	slotScreen    = 0x01
	slotRNG       = 0x02
	slotUSB       = 0x03
	slotDisk      = 0x04 // to 0x0f
	slotNIC       = 0x10 // to 0x1e; 0x1f is the board's own
	slotEnd       = 0x1f
	sataPerBridge = 6 // ports of an ICH9 AHCI controller
	serialMax     = 20
)

// slot places device n of a kind on the bus.
func slot(first, end, n int) string {
	if first+n >= end {
		return "bus=pcie.0"
	}
	return fmt.Sprintf("bus=pcie.0,addr=0x%x", first+n)
}

// onSATA: a CD is one whatever its model says: every firmware and installer
// reads a CD on AHCI.
func onSATA(d cell.Disk) bool { return d.Model == "ahci" || d.ISO != "" }

func needsSATA(c *cell.Cell) bool {
	for _, d := range c.Drives() {
		if onSATA(d) {
			return true
		}
	}
	return false
}

// qemuDisks gives each disk its back end by descriptor and its device.
func qemuDisks(c *cell.Cell, in QEMUInput) []Option {
	var opts []Option
	sata, pci := 0, 0
	for i, d := range c.Drives() {
		source := d.Block()
		opts = append(opts, in.addFD(FDDisk(d.Label), source))
		if d.Layered() {
			opts = append(opts, in.addFD(FDBase(d.Label), source))
			if d.Frozen != "" {
				opts = append(opts, in.addFD(FDFrozen(d.Label), source))
			}
			opts = append(opts, layerBlockdevs(d, i, in, source)...)
		} else {
			opts = append(opts, blockdevs(d, i, in, source)...)
		}
		if onSATA(d) && sata > 0 && sata%sataPerBridge == 0 {
			// The board's controller is full.
			opts = append(opts, Option{Flag: "-device", Value: fmt.Sprintf("ich9-ahci,id=ahci%d,bus=pcie.0", sata/sataPerBridge), Why: "another SATA controller", Source: source})
		}
		node := "disk" + strconv.Itoa(i)
		common := "drive=" + node + ",id=" + node + "-dev,serial=" + diskSerial(c, d, i) +
			",bootindex=" + strconv.Itoa(i+1) // firmware tries disks in the file's order
		// Where the host cannot read or write, the guest waits and nothing is lost;
		// of an NVMe disk QEMU can only tell the guest.
		waits := "werror=stop,rerror=stop"
		var device string
		switch {
		case d.CD():
			device = props("ide-cd", sataPort(sata), common, waits)
			sata++
		case d.Model == "ahci":
			device = props("ide-hd", sataPort(sata), common, waits)
			sata++
		case d.Model == "nvme":
			device = props("nvme", slot(slotDisk, slotNIC, pci), common)
			pci++
		default:
			device = props("virtio-blk-pci", slot(slotDisk, slotNIC, pci), common, waits)
			pci++
		}
		opts = append(opts, Option{Flag: "-device", Value: device, Why: "disk " + d.Label, Source: source})
	}
	return opts
}

// blockdevs is the back end of one disk. Node names hold at most 31
// characters, so they are numbered.
func blockdevs(d cell.Disk, i int, in QEMUInput, source string) []Option {
	driver := "file"
	if d.Zvol != "" || d.Device != "" {
		driver = "host_device"
	}
	node, readOnly := "disk"+strconv.Itoa(i), diskReadOnly(d)
	if d.Format != cell.FormatQcow2 {
		return []Option{{Flag: "-blockdev", Value: fileNode(driver, node, in.fdset(FDDisk(d.Label)), readOnly), Why: "raw, never guessed: a guest could write another format's header", Source: source}}
	}
	return []Option{
		{Flag: "-blockdev", Value: fileNode(driver, node+"-file", in.fdset(FDDisk(d.Label)), readOnly), Why: "the image's file", Source: source},
		{Flag: "-blockdev", Value: qcow2Node(node, "", readOnly), Why: "qcow2; a backing file that the image names is not followed", Source: source},
	}
}

// layerBlockdevs is the back end of a disk that is a layer: the base, of which
// nothing but a descriptor for reading is there, and the layer on top of it. The
// node of the base is named here: what a layer's header says is not followed.
func layerBlockdevs(d cell.Disk, i int, in QEMUInput, source string) []Option {
	node := "disk" + strconv.Itoa(i)
	base := node + "-base"
	var opts []Option
	if d.Format == cell.FormatQcow2 {
		opts = []Option{
			{Flag: "-blockdev", Value: fileNode("file", base+"-file", in.fdset(FDBase(d.Label)), true), Why: "the base's file, which is only read", Source: source},
			{Flag: "-blockdev", Value: qcow2Node(base, "", true), Why: "the base; a backing file that it names is not followed", Source: source},
		}
	} else {
		opts = []Option{{Flag: "-blockdev", Value: fileNode("file", base, in.fdset(FDBase(d.Label)), true), Why: "the base, which is only read", Source: source}}
	}
	if d.Frozen != "" {
		under := base
		base = node + "-frozen"
		opts = append(opts,
			Option{Flag: "-blockdev", Value: fileNode("file", base+"-file", in.fdset(FDFrozen(d.Label)), true), Why: "the template's layer, which is only read", Source: source},
			Option{Flag: "-blockdev", Value: qcow2Node(base, under, true), Why: "what the template has written, on top of the base", Source: source})
	}
	return append(opts,
		Option{Flag: "-blockdev", Value: fileNode("file", node+"-file", in.fdset(FDDisk(d.Label)), false), Why: "the layer's file", Source: source},
		Option{Flag: "-blockdev", Value: qcow2Node(node, base, false), Why: "what the guest writes, on top of the base", Source: source})
}

// fileNode opens a descriptor as a file or as a device. The access mode is the
// descriptor's. What the guest discards is given back to the host.
func fileNode(driver, node, path string, readOnly bool) string {
	mode, discard := "read-only=off", "discard=unmap"
	if readOnly {
		mode, discard = "read-only=on", ""
	}
	return props(
		"driver="+driver,
		"node-name="+node,
		"filename="+path,
		mode, "auto-read-only=off", // say so rather than fall back in silence
		"locking=off", // the keeper holds QEMU's locks on this very descriptor
		"aio=threads", // Linux AIO and io_uring would need calls of their own in the filter
		discard,
		"cache.direct=off,cache.no-flush=off", // the host's cache, and the guest's flushes are real
	)
}

// qcow2Node reads the node that is called so and "-file". It is JSON, because
// only JSON can say that there is no backing node.
func qcow2Node(node, backing string, readOnly bool) string {
	under, ro, unmap := "null", "false", `,"discard":"unmap"`
	if backing != "" {
		under = `"` + backing + `"`
	}
	if readOnly {
		ro, unmap = "true", ""
	}
	return `{"driver":"qcow2","node-name":"` + node + `","file":"` + node + `-file","backing":` + under + `,"read-only":` + ro + unmap + `}`
}

func sataPort(n int) string {
	if n < sataPerBridge {
		return "bus=ide." + strconv.Itoa(n) // the board's own controller
	}
	return fmt.Sprintf("bus=ahci%d.%d", n/sataPerBridge, n%sataPerBridge)
}

// diskSerial lets the guest find a disk by its label. Longer ones are cut off
// by the devices, and two disks could then look the same.
func diskSerial(c *cell.Cell, d cell.Disk, i int) string {
	if s := c.Identity.SerialOf(i); s != "" {
		return s
	}
	if len(d.Label) <= serialMax {
		return d.Label
	}
	return "disk-" + strconv.Itoa(i)
}

// qemuNetdev is the host's end of a card.
func qemuNetdev(n cell.NIC, id string, in QEMUInput) Option {
	if n.UserSpace() {
		// It listens, so that a network that has ended can be followed by another one.
		return Option{Flag: "-netdev", Value: "stream,id=" + id + ",server=on,addr.type=fd,addr.str=" + in.fd(FDNet(n.Label)),
			Why: "a network in user space connects here; no interface of the host's", Source: "nic." + n.Label}
	}
	// vhost would put the guest's packets into the host's kernel directly.
	return Option{Flag: "-netdev", Value: "tap,id=" + id + ",fd=" + in.fd(FDTap(n.Label)) + ",vhost=off", Why: "the tap, handed in", Source: "nic." + n.Label}
}

// qemuNICs gives each network card its tap by descriptor.
func qemuNICs(c *cell.Cell, in QEMUInput) []Option {
	var opts []Option
	for i, n := range c.NICs {
		source, id := "nic."+n.Label, "nic"+strconv.Itoa(i)
		model := "virtio-net-pci"
		if n.Model == "e1000" {
			model = "e1000"
		}
		opts = append(opts,
			qemuNetdev(n, id, in),
			Option{Flag: "-device", Value: props(model, "netdev="+id, "id="+id+"-dev", "mac="+n.MAC,
				"romfile=",                      // no boot from the network
				slot(slotNIC, slotEnd, i)), Why: "network card " + n.Label, Source: source})
	}
	return opts
}

// qemuHelpers are the small devices that a real guest is better with. The
// built-in guest drives none, so it gets none.
func qemuHelpers(c *cell.Cell) []Option {
	if c.Boot.Kind == cell.BootHello {
		return nil
	}
	return []Option{
		// The built-in generator asks getrandom(2): no device node is opened.
		{Flag: "-object", Value: "rng-builtin,id=rng0", Why: "randomness without a device node"},
		{Flag: "-device", Value: "virtio-rng-pci,rng=rng0,id=rng0-dev," + slot(slotRNG, slotUSB, 0), Why: "the guest's randomness"},
		{Flag: "-device", Value: "pvpanic", Why: "a guest that panics can say so"},
	}
}
