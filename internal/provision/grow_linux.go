package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
)

// Grow has QEMU make an image larger that it has open, within the bound of its files. Where the cell file sets
// none that is as large as they were, and has to be raised first.
func (m *qemuMachine) Grow(ctx context.Context, label string, size cell.Size) (bound uint64, err error) {
	bad := func(hint, format string, a ...any) (uint64, error) {
		return 0, fault.New(fault.Input, hint, "make disk %q of %s grow: %s", label, m.name, fmt.Sprintf(format, a...))
	}
	drives := m.cell.Drives()
	i := slices.IndexFunc(drives, func(d cell.Disk) bool { return d.Label == label })
	if i < 0 {
		return bad("skep disk ls "+m.name+" lists them", "it runs without such a disk")
	}
	d, limit := drives[i], m.cell.Jail.Limits.Disk
	qcow2 := d.Layered() || d.Format == cell.FormatQcow2
	if !qcow2 && !d.GrowsByCall() || d.ReadOnly {
		return bad("skep down "+m.name+" stops it", "it is no image that QEMU could enlarge now")
	}
	if !qcow2 && limit > 0 && size > limit {
		return bad("raise disk in the limits block; it holds from the next start on", "limits.disk is %s", limit)
	}
	has, err := m.qmp.BlockSize(ctx, i)
	if err != nil {
		return 0, fault.Wrap(fault.Host, err, "", "make disk %q of %s grow", label, m.name)
	}
	if int64(size) < has {
		return bad("a smaller one would lose what the guest has there", "it has %s already", cell.Size(has))
	}
	need := uint64(size)
	if qcow2 {
		need += uint64(size)/8 + 64<<20 + uint64(m.cell.Memory) // as fileBound has it
	}
	if limit == 0 {
		if bound, err = m.raise(need); err != nil {
			return bad("limits { disk = … } gives its files room from the start; or skep down "+m.name+" and grow it then",
				"the bound of its files cannot be raised: %v", err)
		}
	}
	tell := func() error { return m.qmp.BlockResize(ctx, i, int64(size)) }
	if !qcow2 && int64(size) > has {
		err = m.growRaw(label, int64(size), tell)
	} else {
		err = tell() // its tables grow by writes
	}
	if errors.Is(err, linuxjail.ErrNobodyAnswers) {
		return bad("skep down "+m.name+" stops it", "%v", err)
	}
	if err != nil {
		return bound, fault.Wrap(fault.Host, err, "", "make disk %q of %s grow", label, m.name)
	}
	return bound, nil
}

// growRaw makes the file of a raw image larger, as QEMU has no call for that, and has QEMU learn of it.
func (m *qemuMachine) growRaw(label string, size int64, tell func() error) error {
	if m.file == nil {
		return linuxjail.ErrNobodyAnswers
	}
	f := m.file(hypervisor.FDDisk(label))
	if f == nil {
		return errors.New("its file is not open")
	}
	return m.proc.Looking(size, func() error {
		if err := f.Truncate(size); err != nil {
			return err
		}
		return tell()
	})
}

// raise raises the bound on the size of files, and returns it where that was needed.
func (m *qemuMachine) raise(need uint64) (uint64, error) {
	now, ok := linuxjail.Rlimits(m.proc.Pid())["fsize"]
	if !ok {
		return 0, errors.New("it cannot be seen")
	}
	if now[0] >= need {
		return 0, nil
	}
	if err := m.proc.Limit(jail.Limit{Name: "fsize", Value: need}); err != nil {
		if errors.Is(err, unix.EPERM) {
			err = errors.New("the caller lacks CAP_SYS_RESOURCE")
		}
		return 0, err
	}
	return need, nil
}
