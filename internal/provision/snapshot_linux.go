package provision

import (
	"context"

	"skep/internal/cell"
	"skep/internal/fault"
)

// Snapshot has QEMU do it, in all images that the guest writes to or in none. Neither a file nor a call is
// needed for it that the guest's own work does not need.
func (m *qemuMachine) Snapshot(ctx context.Context, do, tag string) error {
	nodes, others := snapshotNodes(m.cell)
	switch {
	case do == "snapshot-delete":
		if len(nodes) == 0 {
			return nil // none of them could hold one
		}
	case others != "":
		return fault.New(fault.Input, "base = … gives it a layer; or stop the cell first", "snapshot %s: disk %q is not a qcow2 image", m.cell.Name, others)
	case len(nodes) == 0:
		return fault.New(fault.Input, "a disk with base or image has one", "snapshot %s: it has no disk that could hold the memory", m.cell.Name)
	}
	if err := m.qmp.Snapshot(ctx, do, tag, nodes); err != nil {
		return fault.Wrap(fault.Host, err, "", "%s %q of %s", do, tag, m.cell.Name)
	}
	return nil
}

// snapshotNodes are the images that a guest writes to and that can hold a snapshot, by their numbers; other is
// the label of one that cannot.
func snapshotNodes(c *cell.Cell) (nodes []int, other string) {
	for i, d := range c.Disks {
		switch {
		case d.ReadOnly || d.ISO != "":
		case d.Layered() || d.Format == cell.FormatQcow2:
			nodes = append(nodes, i)
		default:
			other = d.Label
		}
	}
	return nodes, other
}
