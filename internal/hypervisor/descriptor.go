package hypervisor

import "skep/internal/cell"

// Use says how a descriptor is opened. QEMU hands out a descriptor of
// /dev/fdset only for exactly the access mode it was opened with, so a disk
// opened O_RDWR cannot serve a read-only disk.
type Use string

// The uses of a descriptor.
const (
	UseListen Use = "listen" // a UNIX stream socket, bound and listening
	UseRead   Use = "read"   // a file, O_RDONLY
	UseWrite  Use = "write"  // a file, O_RDWR
	UseAppend Use = "append" // a file, O_WRONLY|O_APPEND
	UsePeer   Use = "peer"   // one end of a pair of connected UNIX sockets
	UseTap    Use = "tap"    // a tap, from TUNSETIFF with IFF_TAP|IFF_NO_PI|IFF_VNET_HDR
)

// Names of descriptors that are not per disk or per card.
const (
	FDQMP        = "qmp"
	FDConsole    = "console"
	FDConsoleLog = "console-log"
	FDGDB        = "gdb"
	FDFlashCode  = "flash-code"
	FDFlashVars  = "flash-vars"
	FDTPM        = "tpm"
)

// FDDisk names the descriptor of a disk.
func FDDisk(label string) string { return "disk:" + label }

// FDBase names the descriptor of what a disk is a layer of.
func FDBase(label string) string { return "base:" + label }

// FDFrozen names the descriptor of a template's layer, between a base and a disk.
func FDFrozen(label string) string { return "frozen:" + label }

// FDTap names the descriptor of a network card's tap.
func FDTap(label string) string { return "tap:" + label }

// FDNet names the descriptor on which a network in user space connects to a card.
func FDNet(label string) string { return "net:" + label }

// FirstFD is the number of the first descriptor: 0, 1 and 2 are the standard
// streams.
const FirstFD = 3

// Descriptor is something open that is handed to the hypervisor.
type Descriptor struct {
	Name   string
	Use    Use
	Source string // as Option.Source
}

// QEMUDescriptors lists what a cell's QEMU is handed, in the order in which
// the descriptors are numbered from FirstFD.
func QEMUDescriptors(c *cell.Cell) []Descriptor {
	list := []Descriptor{
		{Name: FDQMP, Use: UseListen},
		{Name: FDConsole, Use: UseListen, Source: "console"},
		{Name: FDConsoleLog, Use: UseAppend, Source: "console"},
	}
	if c.GDB != nil {
		list = append(list, Descriptor{FDGDB, UseListen, "gdb"})
	}
	switch c.Boot.Kind {
	case cell.BootHello, cell.BootFirmware:
		list = append(list, Descriptor{FDFlashCode, UseRead, "boot"})
	case cell.BootUEFI:
		list = append(list,
			Descriptor{FDFlashCode, UseRead, "boot"},
			Descriptor{FDFlashVars, UseWrite, "boot"})
	}
	if c.TPM != nil {
		list = append(list, Descriptor{FDTPM, UsePeer, "tpm"})
	}
	for _, d := range c.Drives() {
		use := UseWrite
		if diskReadOnly(d) {
			use = UseRead
		}
		list = append(list, Descriptor{FDDisk(d.Label), use, d.Block()})
		if d.Layered() {
			list = append(list, Descriptor{FDBase(d.Label), UseRead, d.Block()})
			if d.Frozen != "" {
				list = append(list, Descriptor{FDFrozen(d.Label), UseRead, d.Block()})
			}
		}
	}
	for _, n := range c.NICs {
		if n.UserSpace() {
			list = append(list, Descriptor{FDNet(n.Label), UseListen, "nic." + n.Label})
			continue
		}
		list = append(list, Descriptor{FDTap(n.Label), UseTap, "nic." + n.Label})
	}
	return list
}

// Number gives the descriptors their numbers, from FirstFD on.
func Number(list []Descriptor) map[string]int {
	fds := make(map[string]int, len(list))
	for i, d := range list {
		fds[d.Name] = FirstFD + i
	}
	return fds
}

// diskReadOnly: an ISO is a CD, and a CD is never written.
func diskReadOnly(d cell.Disk) bool { return d.ReadOnly || d.ISO != "" }
