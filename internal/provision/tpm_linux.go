package provision

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/elf"
	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/store"
	"skep/internal/tool"
)

// tpmGrace is how long a TPM may take to its end once its hypervisor has ended.
const tpmGrace = 2 * time.Second

// tpmState is the file of what it remembers, among those that are open.
const tpmState = "tpm-state"

// acquireTPM starts the guest's TPM. It asks for its state once the hypervisor speaks with it: it is sealed and its
// rootfs emptied at that, and only then it gets it. It is nobody's child in the end: it lives as long as the hypervisor,
// whose end of their sockets is the only one, and so outlives a keeper.
func (t *linuxProvisioner) acquireTPM(ctx context.Context, id string, s *plan.TPM) (held store.Held, err error) {
	state, err := openTPM(s)
	if err != nil {
		return held, err
	}
	t.hold(tpmState, state)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return held, fault.Wrap(fault.Host, err, "", "connect the TPM with the hypervisor")
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "tpm"), os.NewFile(uintptr(pair[1]), "tpm")
	defer theirs.Close()
	defer func() {
		if err != nil {
			ours.Close()
			t.drop(tpmState)
		}
	}()
	spec, err := tpmSpec(s, t.plan.Layers, theirs, state, t.files["hypervisor-log"])
	if err != nil {
		return held, err
	}
	proc, err := linuxjail.Start(ctx, spec)
	if err != nil {
		return held, jailFault(err)
	}
	t.tpm = proc
	t.hold(hypervisor.FDTPM, ours)
	held = store.Held{PID: proc.Pid(), Start: proc.StartTime()}
	// It ends with this keeper until QEMU has its socket, but a sweep is not to come before that.
	return held, t.env.Begun(id, held)
}

// openTPM opens what a TPM remembers. A new one has nothing to remember.
func openTPM(s *plan.TPM) (*os.File, error) {
	f, err := os.OpenFile(s.State, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, HintFull, "open the state of the TPM")
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err == nil && info.Size() > plan.TPMStateMax {
		err = errors.New("it is larger than any")
	}
	if err != nil {
		f.Close()
		return nil, fault.Wrap(fault.Input, err, "skep disk rm NAME tpm removes it", "use the state of the TPM, %s", s.State)
	}
	return f, nil
}

// tpmSpec is the jail of a TPM.
func tpmSpec(s *plan.TPM, layers []layer.Decision, peer, state, log *os.File) (linuxjail.Spec, error) {
	conf, _ := elf.LdConf(os.DirFS("/"), "/etc/ld.so.conf")
	files, err := elf.Closure(elf.Search{Configured: conf}, s.Program)
	if err != nil {
		return linuxjail.Spec{}, fault.Wrap(fault.Host, err, "", "find what %s needs", s.Program)
	}
	name := tool.InJail("tpm")
	spec := linuxjail.Spec{
		Hostname: "tpm", OOMScoreAdj: 550, Layers: workerLayers(layers),
		Identity: linuxjail.Identity{UID: s.UID, GID: s.GID, Mapping: mappings[s.Identity]},
		Path:     jail.RootfsPath(files[0].Inside), Argv: s.Argv(name),
		FDs: []jail.FD{{Name: hypervisor.FDTPM, File: peer}}, Stderr: log,
		EmptyMounts: emptyMounts(), Policy: seccomp.SWTPM(),
		Handed: []linuxjail.Handed{{Name: jail.RootfsPath(name), File: state}},
	}
	for _, f := range files {
		spec.Root.Files = append(spec.Root.Files, linuxjail.File{Inside: jail.RootfsPath(f.Inside), Host: jail.HostPath(f.Host), Exec: true})
	}
	spec.Root.Size = 64 << 10
	for _, l := range s.Rlimits {
		if l.Name != "core" { // always 0
			spec.Limits = append(spec.Limits, jail.Limit{Name: l.Name, Value: l.Value})
		}
	}
	return spec, nil
}

// sealTPM ends the start of the TPM: QEMU has asked it for its state by now. The keeper lets go of QEMU's end, so that
// the TPM ends with QEMU.
func (t *linuxProvisioner) sealTPM() error {
	if t.tpm == nil {
		return nil
	}
	err := t.tpm.Seal()
	t.drop(hypervisor.FDTPM)
	t.drop(tpmState)
	if err != nil {
		return fault.Wrap(fault.Jail, err, "", "seal the TPM of %s", t.plan.Name)
	}
	for _, r := range t.plan.Resources {
		if s, is := r.Spec.(*plan.TPM); is {
			t.watchedTPM(r.ID, s, t.tpm)
		}
	}
	return nil
}

// watchedTPM says who the TPM is, and has its end be seen.
func (t *linuxProvisioner) watchedTPM(id string, s *plan.TPM, p *linuxjail.Process) {
	t.tpm, t.tpmEnded = p, make(chan struct{})
	t.serving(id, s, p)
	go t.watchTPM(id, p, t.tpmEnded)
}

// tpmHasEnded is told after the name of its cell.
const tpmHasEnded = ": its TPM has ended; the guest has none until it is started again"

// watchTPM tells of a TPM that has ended before its cell: the guest asks it in vain from then on.
func (t *linuxProvisioner) watchTPM(id string, p *linuxjail.Process, released <-chan struct{}) {
	<-p.Done()
	t.env.Serving(id, nil)
	select {
	case <-released:
	case <-t.qemu.exited:
	case <-time.After(tpmGrace): // it ends when QEMU does, which may not have shown yet
		t.env.Notify(t.plan.Name + tpmHasEnded)
	}
}

// serving says who the TPM is, for who looks at it.
func (t *linuxProvisioner) serving(id string, s *plan.TPM, p *linuxjail.Process) {
	layers, r := workerLayers(t.plan.Layers), p.Record()
	t.env.Serving(id, &store.Service{ID: id, PID: p.Pid(), Start: p.StartTime(), UID: s.UID, GID: s.GID, Calls: r.RunCalls, Sealed: r.Sealed,
		Filters: r.FilterCount(), OwnUID: layer.On(layers, layer.OwnUID), EmptyRootfs: layer.On(layers, layer.EmptyRootfs)})
}

// adoptTPM finds the TPM that goes on without its dead keeper, and watches it. The kernel refuses what the keeper
// would have refused, as linuxjail.Adopt says.
func (t *linuxProvisioner) adoptTPM(id string, s *plan.TPM, h store.Held) error {
	arch, _ := seccomp.ArchOf(runtime.GOARCH)
	record := jail.Record{RunCalls: seccomp.SWTPM().Count(arch, seccomp.Run)}
	for _, v := range t.served {
		if v.ID == id && v.PID == h.PID && v.Start == h.Start {
			record.RunCalls, record.Inherited = v.Calls, v.Filters // which of them were its keeper's is not told apart
		}
	}
	p, err := linuxjail.Adopt(h.PID, h.Start, record)
	if errors.Is(err, process.ErrGone) {
		t.env.Notify(t.plan.Name + tpmHasEnded)
		return nil
	}
	if err != nil {
		return err
	}
	t.watchedTPM(id, s, p)
	return nil
}

// releaseTPM waits for the end of the TPM, which follows the hypervisor's.
func (t *linuxProvisioner) releaseTPM(ctx context.Context, h store.Held) error {
	t.drop(hypervisor.FDTPM)
	t.drop(tpmState)
	p := t.tpm
	if p == nil {
		return t.endProcess(ctx, h)
	}
	t.tpm = nil
	if t.tpmEnded != nil {
		close(t.tpmEnded)
	}
	select {
	case <-p.Done():
	case <-time.After(tpmGrace):
		_ = p.Kill()
	}
	_, err := p.Wait(ctx)
	return errors.Join(err, p.Release())
}
