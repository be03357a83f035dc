package provision

import (
	"context"
	"os"
	"time"

	"skep/internal/fault"
	"skep/internal/memdump"
)

// dumpWait bounds a dump: the guest stands still for as long.
const dumpWait = 2 * time.Hour

// Dump has QEMU write its guest's memory. What it writes is for a jailed reader alone.
func (m *qemuMachine) Dump(ctx context.Context, format string, w *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, dumpWait)
	defer cancel()
	if err := m.qmp.Dump(ctx, w, format == memdump.Kdump); err != nil {
		return fault.Wrap(fault.Host, err, "", "dump the memory of %s", m.name)
	}
	return nil
}
