package hypervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"skep/internal/cell"
)

// MemoryPath is the name by which QEMU opens the guest's memory where that is a file. There is none of that
// name in the rootfs: the listener answers with a descriptor.
const MemoryPath = "/ram"

const memoryNode = "ram0"

// qemuTemplate has the guest's memory in a file: a template's own, shared with whoever keeps it, or mapped
// privately by a clone, so that clones share what none of them has changed.
func qemuTemplate(c *cell.Cell, _ QEMUInput) []Option {
	t := c.Template
	if t == nil {
		return nil
	}
	share, why := "share=off", "the template's memory; what the guest changes is its own"
	if t.Make {
		share, why = "share=on", "the guest's memory, which becomes the template's"
	}
	opts := []Option{{Flag: "-object", Value: fmt.Sprintf("memory-backend-file,id=%s,size=%d,mem-path=%s,%s", memoryNode, int64(c.Memory), MemoryPath, share), Why: why, Source: "memory"}}
	if !t.Make {
		opts = append(opts, Option{Flag: "-incoming", Value: "defer", Why: "the devices' state comes by QMP"})
	}
	if c.Boot.Kind != cell.BootHello {
		// QEMU draws the number; with it a guest that knows vmgenid has its random numbers begin anew.
		opts = append(opts, Option{Flag: "-device", Value: "vmgenid,guid=auto,id=vmgenid0", Why: "tells clones of one template apart"})
	}
	return opts
}

// boardFlags are the options by which the guest sees what machine it is on. Everything that is restored has to
// find the same.
var boardFlags = []string{"-machine", "-accel", "-cpu", "-smp", "-m", "-global", "-device", "-smbios", "-rtc", "-serial", "-append", "-vga"}

// QEMUBoard is a digest of the board that a command line describes.
func QEMUBoard(argv []string) string {
	h := sha256.New()
	for i := 0; i+1 < len(argv); i++ {
		if !slices.Contains(boardFlags, argv[i]) {
			continue
		}
		value := argv[i+1]
		if argv[i] == "-accel" { // how much code it may keep translated is no part of the guest's state
			value, _, _ = strings.Cut(value, ",")
		}
		fmt.Fprintf(h, "%q %q\n", argv[i], value)
	}
	return hex.EncodeToString(h.Sum(nil))
}
