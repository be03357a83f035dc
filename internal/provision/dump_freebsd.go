package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"skep/internal/fault"
	"skep/internal/memdump"
)

// bhyve's guests have memory up to lowMemory, and what is more from highMemory on.
const (
	lowMemory  = 3 << 30
	highMemory = 4 << 30
)

// Dump reads the VM's memory as vmm(4) shows it: a read at a place of its node is one of the guest's
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
	memory := int64(m.provisioner.cell.Memory)
	ranges := []memdump.Range{{From: 0, Size: min(memory, lowMemory)}}
	if memory > lowMemory {
		ranges = append(ranges, memdump.Range{From: highMemory, Size: memory - lowMemory})
	}
	if _, err = w.Write(memdump.Header(ranges)); err == nil {
		for _, r := range ranges {
			n, cerr := io.Copy(w, io.NewSectionReader(f, r.From, r.Size))
			if cerr == nil && n < r.Size {
				cerr = fmt.Errorf("it has %d bytes at %#x, and %d are its own", n, r.From, r.Size)
			}
			err = errors.Join(err, cerr)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "dump the memory of %s", m.provisioner.plan.Name)
	}
	return nil
}
