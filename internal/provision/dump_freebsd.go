package provision

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"skep/internal/fault"
	"skep/internal/memdump"
	"skep/internal/worker"
)

// bhyve's guests have memory up to lowMemory, and what is more from highMemory on.
const (
	lowMemory  = 3 << 30
	highMemory = 4 << 30
)

// dumpWait bounds a dump: the guest stands still for as long.
const dumpWait = 2 * time.Hour

// Dump has the worker read the VM's memory as vmm(4) shows it: a read at a place of its node is one of the guest's
// physical memory. The guest stands still meanwhile. The processors' registers are not in it.
func (m *bhyveMachine) Dump(ctx context.Context, format string, w *os.File) error {
	if format == memdump.Kdump {
		return fault.New(fault.Host, "--format elf and --format raw are there", "dump as kdump: bhyve knows no such format")
	}
	f, err := os.Open(filepath.Join("/dev/vmm", m.spec.VM))
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "dump the memory of %s", m.provisioner.plan.Name)
	}
	defer f.Close()
	ran, err := m.Pause(ctx)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "have %s stand still", m.provisioner.plan.Name)
	}
	if ran {
		defer func() { _ = m.Unpause(context.Background()) }()
	}
	ctx, cancel := context.WithTimeout(ctx, dumpWait)
	defer cancel()
	memory := int64(m.provisioner.cell.Memory)
	low, high := min(memory, lowMemory), max(0, memory-lowMemory)
	err = handed(func(all []*os.File) error {
		return m.provisioner.workers.client.Memory(ctx, all[0], all[1], low, high, highMemory)
	}, with{f, rightsRead}, with{w, rightsWrite})
	if errors.Is(err, worker.ErrMayNot) { // FreeBSD 14: the keeper may, and passes it on to the reader unseen
		err = memdump.Pour(ctx, w, f, worker.MemoryOf(low, high, highMemory))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "dump the memory of %s", m.provisioner.plan.Name)
	}
	return nil
}
