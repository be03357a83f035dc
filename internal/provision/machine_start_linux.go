package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/hypervisor"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
	"skep/internal/plan"
	"skep/internal/store"
)

// acquireHypervisor builds the rootfs and the jail, starts QEMU in them and waits
// until it has prepared the guest; then the rootfs is closed behind it.
func (t *linuxProvisioner) acquireHypervisor(ctx context.Context, id string, s *plan.Hypervisor) (store.Held, error) {
	spec, err := t.jailSpec(s)
	if err != nil {
		return store.Held{}, err
	}
	for _, c := range spec.Root.Copies {
		defer c.From.Close()
	}
	if t.workers == nil || planSocket(t.plan, "qmp") == "" {
		return store.Held{}, errors.New("the plan has no worker or no QMP socket")
	}
	m := t.newMachine(t.plan)
	m.root = spec.Root
	for _, s := range plan.Specs[*plan.Template](t.plan) {
		m.template, m.ram = s, t.files[templateRAM]
	}
	m.file = func(name string) *os.File { return t.files[name] }
	m.swap = func(name string, f *os.File) { t.drop(name); t.hold(name, f) }
	// Standard error is a pipe and never a file: a guest can make QEMU say as
	// much as it likes there. What nobody reads any more is lost, and stops
	// nobody.
	words, err := t.acquireStderr()
	if err != nil {
		return store.Held{}, err
	}
	m.words, spec.Stderr = words, words.w
	start := linuxjail.Start
	if t.bound() {
		start = linuxjail.StartBound
	}
	m.proc, err = start(ctx, spec)
	words.w.Close()
	if err != nil {
		words.r.Close()
		return store.Held{}, jailFault(err)
	}
	m.standing = sync.OnceValue(func() jail.Standing { return linuxjail.StandingOf(m.proc.Pid()) })
	go m.standing() // a hundred small files, read while the hypervisor prepares the guest
	close(t.executed)
	t.qemu = m
	held := store.Held{PID: m.proc.Pid(), Start: m.proc.StartTime()}
	go m.wait()
	// Without a control group nothing else leads to it. It still asks for much that it will not get if this
	// keeper dies before the line is written, and ends by that.
	if err := t.env.Begun(id, held); err != nil {
		return held, err
	}
	if err := t.haveWorker(ctx); err != nil {
		return held, err
	}
	if err := m.greet(ctx); err != nil {
		return held, err
	}
	if m.template != nil && !m.template.Make {
		if err := m.restore(ctx, t.files[templateState]); err != nil {
			return held, err
		}
	}
	// From here on the hypervisor needs no file and none of the calls that only
	// its start needed.
	if err := m.sealRootfs(ctx, t.plan.Layers); err != nil {
		return held, fault.Wrap(fault.Jail, err, "", "seal the rootfs of %s", t.plan.Name)
	}
	bound, err := fileBound(t.plan, spec.FDs, t.cell.Jail.Limits.Disk, t.cell.Memory)
	if err == nil {
		err = m.proc.Limit(bound)
	}
	if err != nil {
		return held, fault.Wrap(fault.Jail, err, "", "bound the files of %s", t.plan.Name)
	}
	// It listens on them itself now, and a connection to one that has ended is to be refused.
	for _, s := range plan.Specs[*plan.Socket](t.plan) {
		t.drop(s.Name)
	}
	if err := t.sealTPM(); err != nil {
		return held, err
	}
	m.limits = linuxjail.Rlimits(m.proc.Pid())
	m.groups = linuxjail.GroupsIn(fmt.Sprintf("/proc/%d/cgroup", m.proc.Pid()))
	m.links = linksOf(t.plan)
	if err := t.screenPassword(ctx, m); err != nil {
		return held, err
	}
	t.watch(m)
	return held, nil
}

// haveWorker waits for the worker, and writes down who it is.
func (t *linuxProvisioner) haveWorker(ctx context.Context) error {
	held, err := t.workers.wait(ctx)
	if err == nil {
		err = t.env.Begun(WorkerID, held)
	}
	return err
}

// jailSpec turns the plan's rootfs, jail and hypervisor into what the launcher
// takes.
func (t *linuxProvisioner) jailSpec(s *plan.Hypervisor) (spec linuxjail.Spec, err error) {
	rooms, jails := plan.Specs[*plan.Rootfs](t.plan), plan.Specs[*plan.Jail](t.plan)
	if len(rooms) != 1 || len(jails) != 1 {
		return spec, errors.New("the plan has no rootfs or no jail")
	}
	rootfs, j := rooms[0], jails[0]
	spec = linuxjail.Spec{
		Hostname: j.Hostname,
		Identity: linuxjail.Identity{UID: j.UID, GID: j.GID, Mapping: mappings[j.Identity]},
		Path:     jail.RootfsPath(s.Path),
		Argv:     s.Argv,
		Layers:   t.plan.Layers,
		// A cell goes before the host's own services when memory runs out.
		OOMScoreAdj: 500,
		EmptyMounts: emptyMounts(),
	}
	for _, f := range rootfs.Files {
		spec.Root.Files = append(spec.Root.Files, linuxjail.File{Inside: jail.RootfsPath(f.Inside), Host: jail.HostPath(f.Host), Exec: true})
	}
	for _, f := range rootfs.Data {
		spec.Root.Files = append(spec.Root.Files, linuxjail.File{Inside: jail.RootfsPath(f.Inside), Host: jail.HostPath(f.Host)})
	}
	const page = 4096
	spec.Root.Size = rootfs.Size
	defer func() {
		if err != nil {
			for _, c := range spec.Root.Copies {
				c.From.Close()
			}
		}
	}()
	for _, c := range rootfs.Copies {
		f, err := openCopy(c)
		if err != nil {
			return spec, err
		}
		info, err := f.Stat()
		if err != nil {
			return spec, err
		}
		spec.Root.Copies = append(spec.Root.Copies, linuxjail.Copy{Inside: jail.RootfsPath(c.Inside), From: f, Size: info.Size()})
		spec.Root.Size += info.Size() + page
	}
	t.handMemory(&spec)
	for _, d := range rootfs.Devices {
		spec.Root.Nodes = append(spec.Root.Nodes, linuxjail.Node{Inside: jail.RootfsPath(d), Host: jail.HostPath(d)})
	}
	for _, d := range s.Descriptors {
		f := t.files[d.Name]
		if f == nil {
			return spec, fmt.Errorf("the descriptor %s was not opened", d.Name)
		}
		spec.FDs = append(spec.FDs, jail.FD{Name: d.Name, File: f})
	}
	for _, l := range j.Rlimits {
		if l.Name != "core" { // always 0
			spec.Limits = append(spec.Limits, jail.Limit{Name: l.Name, Value: l.Value})
		}
	}
	for _, g := range plan.Specs[*plan.Cgroup](t.plan) {
		if g.Tree != "v2" {
			spec.Cgroups.V1Procs = append(spec.Cgroups.V1Procs, g.Path+"/cgroup.procs")
			continue
		}
		if spec.Cgroups.V2, err = os.Open(g.Path); err != nil {
			return spec, err
		}
		t.hold("cgroup", spec.Cgroups.V2)
	}
	var needs []seccomp.Need
	for _, f := range j.Features {
		needs = append(needs, seccomp.Need(f))
	}
	spec.Policy = seccomp.QEMU(needs...)
	return spec, nil
}

// bound says whether the plan has the hypervisor end with its keeper.
func (t *linuxProvisioner) bound() bool {
	jails := plan.Specs[*plan.Jail](t.plan)
	return len(jails) == 1 && jails[0].Bound
}

// whatOf says what a copy in the rootfs is: kernel or initrd.
func whatOf(c plan.Copy) string { return strings.TrimPrefix(c.Inside, "/") }

// openCopy opens what is copied into the rootfs.
func openCopy(c plan.Copy) (*os.File, error) {
	what := whatOf(c)
	f, err := openPlain(c.From)
	if err != nil {
		return nil, fault.Wrap(fault.Input, err, pathHint(err), "read the %s %s", what, c.From)
	}
	if what == "kernel" && !bootable(f) {
		f.Close()
		return nil, fault.New(fault.Input, "QEMU boots a bzImage, such as Debian's /boot/vmlinuz, or an ELF image with a PVH note",
			"boot %s: it is no kernel", c.From)
	}
	return f, nil
}

// mappings are the plan's words for how a uid is come by, as the launcher's.
var mappings = map[string]jail.Mapping{
	host.MappingRoot: jail.ByRoot, host.MappingSubUID: jail.BySubIDs, host.MappingOwn: jail.ByOwn,
}

// jailFault says what a person can do about a jail that could not be built.
func jailFault(err error) error {
	if errors.Is(err, linuxjail.ErrUserNamespacesRestricted) {
		return fault.Wrap(fault.Jail, err, linuxjail.HintUserNamespaces, "build the jail")
	}
	var step *jail.StepError
	if errors.As(err, &step) {
		return &fault.Error{Code: fault.Jail, Hint: "skep doctor shows which layers this host has", Op: "build the jail", Reason: "step " + step.Step, Err: step.Errno}
	}
	var build *jail.BuildError
	if errors.As(err, &build) {
		return fault.Wrap(fault.Jail, build.Err, "skep doctor shows which layers this host has", "build the jail")
	}
	return fault.Wrap(fault.Jail, err, "", "build the jail")
}

// greet connects to QMP, or says how QEMU ended meanwhile.
func (m *qemuMachine) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, greetWait)
	defer cancel()
	go func() {
		select {
		case <-m.exited:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := m.hand(ctx)
	if err == nil {
		m.greeted = true
		return nil
	}
	select {
	case <-m.exited:
		end, _ := hypervisor.Judge(m.evidence(nil))
		code := fault.HypervisorDied
		if strings.Contains(end.Detail, "node-name") && strings.Contains(end.Detail, "-blockdev") {
			code = fault.Input // an image that QEMU does not take
		}
		return &fault.Error{Code: code, Op: "start the hypervisor", Reason: end.Detail, Hint: "skep log --hypervisor " + m.name + " shows all it said"}
	case <-time.After(50 * time.Millisecond):
	}
	return fault.Wrap(fault.HypervisorDied, err, "", "speak with QEMU")
}

// sealRootfs takes away what only the start needed.
func (m *qemuMachine) sealRootfs(ctx context.Context, layers []layer.Decision) error {
	if err := m.proc.Seal(); err != nil {
		return err
	}
	if layer.On(layers, layer.EmptyRootfs) {
		if err := m.proc.Empty(ctx); err != nil {
			return err
		}
		m.counts = &store.Reach{Mounts: 1}
	} else {
		m.counts = &store.Reach{Files: len(m.root.Files) + len(m.root.Copies), Nodes: len(m.root.Nodes), Mounts: 1 + len(m.root.Files) + len(m.root.Nodes)}
	}
	m.counts.Syscalls = m.proc.Record().RunCalls
	return nil
}
