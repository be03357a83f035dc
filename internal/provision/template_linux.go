package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/image"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/plan"
	"skep/internal/template"
	"skep/internal/version"
)

// The names of a template's files among those that are held.
const (
	templateRAM   = "template-ram"
	templateState = "template-state"
)

// freezeWait bounds how long a guest's memory may take to be kept.
const freezeWait = 10 * time.Minute

// acquireTemplate makes the memory of one that is to be kept, or opens what is kept, for reading and nothing
// else, once it is known to belong to what is about to read it.
func (t *linuxProvisioner) acquireTemplate(s *plan.Template) error {
	if s.Make {
		f, err := guestMemory(int64(s.Memory))
		t.hold(templateRAM, f)
		return err
	}
	kept, err := template.Read(s.Dir)
	if err != nil {
		return fault.Wrap(fault.Input, err, "skep template ls lists those there are", "use the template %s", s.Name)
	}
	if err := kept.Fits(template.Here{Skep: version.String(), Board: s.Board, Accel: s.Accel, QEMU: s.QEMU}); err != nil {
		return err
	}
	for _, d := range kept.Disks {
		if err := diskAsKept(t, kept, d); err != nil {
			return err
		}
	}
	for name, was := range map[string]template.File{templateRAM: kept.RAM, templateState: kept.State} {
		f, err := os.OpenFile(was.Path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return fault.Wrap(fault.Input, cause(err), "make it again", "use the template %s: %s", s.Name, was.Path)
		}
		t.hold(name, f)
		// Of the memory the hypervisor has the same open file: the lock lasts as long as it does.
		if err := control(f, func(fd int) error { return unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) }); err != nil {
			return fault.New(fault.Busy, "", "use the template %s: it is being removed", s.Name)
		}
		if err := kept.Check(f, was); err != nil {
			return err
		}
	}
	return nil
}

// diskAsKept says why what a template has frozen of a disk is not what it was.
func diskAsKept(t *linuxProvisioner, kept *template.Template, d template.Disk) error {
	if err := kept.SameFile(d.Frozen); err != nil {
		return err
	}
	if d.Digest == "" {
		return kept.SameFile(d.Base)
	}
	for _, l := range plan.Specs[*plan.Layer](t.plan) {
		if l.Label != d.Label {
			continue
		}
		i, err := image.View(imagesOf(l)).Get(d.Image)
		if err != nil {
			return err
		}
		if i.Digest != d.Digest {
			return fault.New(fault.Input, "make it again", "use the template %s: the image %s is another one by now", kept.Name, d.Image)
		}
	}
	return nil
}

func (t *linuxProvisioner) releaseTemplate(*plan.Template) error {
	t.drop(templateRAM)
	t.drop(templateState)
	return nil
}

// guestMemory is a file in memory without a name, of a size that nobody can change.
func guestMemory(size int64) (*os.File, error) {
	fd, err := unix.MemfdCreate("ram", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "ram")
	err = f.Truncate(size)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// handMemory has the listener answer QEMU's open of the guest's memory. QEMU 7.2 asks for a file that it can
// write, whatever it does with it; it gets what is open for reading, as it is.
func (t *linuxProvisioner) handMemory(spec *linuxjail.Spec) {
	if f := t.files[templateRAM]; f != nil {
		spec.Handed = append(spec.Handed, linuxjail.Handed{Name: jail.RootfsPath(hypervisor.MemoryPath), File: f, AtStart: true})
	}
}

// restore has a QEMU that waits for it read the state of its devices: through a pipe, so that it never has
// the file.
func (m *qemuMachine) restore(ctx context.Context, state *os.File) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	const roomy = 1 << 20 // most states fit: one write, one wake-up
	_ = control(w, func(fd int) error { _, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, roomy); return err })
	written := make(chan error, 1)
	go func() {
		_, err := io.Copy(w, io.NewSectionReader(state, 0, 1<<62))
		w.Close()
		written <- err
	}()
	if err := m.qmp.IgnoreShared(ctx); err != nil {
		return err
	}
	err = m.qmp.RestoreFrom(ctx, r)
	r.Close() // nobody reads any more: the writer ends
	if werr := <-written; err == nil {
		err = werr
	}
	if err == nil {
		err = m.qmp.ActivateDisks(ctx)
	}
	if err == nil {
		return nil
	}
	select {
	case <-m.exited:
		end, _ := hypervisor.Judge(m.evidence(nil))
		return &fault.Error{Code: fault.HypervisorDied, Op: "restore the guest", Reason: end.Detail, Hint: "skep log --hypervisor " + m.name + " shows all it said"}
	case <-time.After(quitWait / 10):
	}
	return fault.Wrap(fault.HypervisorDied, err, "skep log --hypervisor "+m.name+" shows all it said", "restore the guest")
}

// Freeze implements Machine.
func (m *qemuMachine) Freeze(ctx context.Context) error {
	t := m.template
	if t == nil || !t.Make || m.ram == nil {
		return fault.New(fault.Input, "skep template make makes one", "keep %s as a template: it was not started for that", m.name)
	}
	ctx, cancel := context.WithTimeout(ctx, freezeWait)
	defer cancel()
	cannot := func(err error) error {
		return fault.Wrap(fault.Host, err, "df shows how full it is", "keep the template %s", t.Name)
	}
	if err := m.qmp.Stop(ctx); err != nil {
		return cannot(err)
	}
	if err := m.qmp.IgnoreShared(ctx); err != nil {
		return cannot(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return cannot(err)
	}
	defer r.Close()
	kept := make(chan error, 1)
	go func() { kept <- template.KeepState(r, t.State()) }()
	err = m.qmp.SaveTo(ctx, w)
	w.Close()
	select {
	case kerr := <-kept:
		err = errors.Join(err, kerr)
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		return cannot(err)
	}
	if err := template.CopyMemory(m.ram, t.RAM()); err != nil {
		return cannot(fmt.Errorf("the memory: %w", err))
	}
	return nil
}
