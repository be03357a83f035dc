package provision

import (
	"context"
	"errors"
	"slices"

	"skep/internal/cell"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/jail/linuxjail"
	"skep/internal/plan"
)

// ChangeMedium has QEMU take a descriptor of another image for what was in a drive. It opens nothing: it only has to
// look at what it was handed.
func (m *qemuMachine) ChangeMedium(ctx context.Context, label, path string) error {
	bad := func(hint, reason string) error {
		return fault.New(fault.Input, hint, "change the medium in %q of %s: %s", label, m.name, reason)
	}
	drives := m.cell.Drives()
	i := slices.IndexFunc(drives, func(d cell.Disk) bool { return d.Label == label })
	switch {
	case i < 0:
		return bad("skep disk ls "+m.name+" lists them", "it runs without such a drive")
	case drives[i].ISO == "" || !drives[i].CD():
		return bad("a disk with iso = … is one", "it is no drive with a disc in it")
	case m.swap == nil:
		return bad("skep down "+m.name+" stops it", linuxjail.ErrNobodyAnswers.Error())
	}
	name := hypervisor.FDDisk(label)
	if path == "" {
		if err := m.qmp.ChangeMedium(ctx, i, name, nil); err != nil {
			return fault.Wrap(fault.Host, err, "", "empty the drive %q of %s", label, m.name)
		}
		m.swap(name, nil)
		return nil
	}
	f, _, err := disk.OpenBy(&plan.Disk{Label: label, Type: plan.DiskISO, Path: path, Format: cell.FormatRaw, ReadOnly: true},
		disk.Rules{Accept: func(*disk.Foreign) bool { return true }})
	if err != nil {
		return err
	}
	err = m.proc.Looking(0, func() error { return m.qmp.ChangeMedium(ctx, i, name, f) })
	if err != nil {
		f.Close()
		hint := "the drive may be empty now; the same command with another file fills it"
		if errors.Is(err, linuxjail.ErrNobodyAnswers) {
			hint = "skep down " + m.name + " stops it"
		}
		return fault.Wrap(fault.Host, err, hint, "change the medium in %q of %s", label, m.name)
	}
	m.swap(name, f)
	return nil
}
