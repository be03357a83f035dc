package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/hypervisor"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/store"
	"skep/internal/worker"
)

// Bounds on waiting for QEMU. A host with two hundred cells starting at once
// on two processors takes a while for each.
const (
	greetWait = 60 * time.Second
	quitWait  = 5 * time.Second
	shotWait  = 10 * time.Second
)

// qemuMachine is a live QEMU in its jail.
type qemuMachine struct {
	name string // the cell's
	cell *cell.Cell
	// file is what it was handed by that name, and swap has another one in its place, or none; nil where another
	// keeper handed it.
	file   func(name string) *os.File
	swap   func(name string, f *os.File)
	proc   *linuxjail.Process
	qmp    *worker.Client
	accel  cell.Accel
	queue  chan Event
	failed chan hypervisor.Event // the last that a disk failed the guest; holds one
	exited chan struct{}         // closed when exit is known
	exit   jail.Exit
	killed chan struct{}
	counts *store.Reach
	root   linuxjail.Root
	waits  bool   // for a debugger to let the guest run
	socket string // QMP's
	groups map[string]string
	limits map[string][2]uint64 // nil where another keeper recorded them
	links  map[string]network.Link
	words  *lastWords // nil where another keeper's pipe had them
	screen bool       // the cell has one

	workers  *workers
	greeted  bool          // QEMU has, once
	paused   atomic.Bool   // by the keeper
	rejoined chan struct{} // another worker speaks with QEMU; holds one

	ending func() // is told that the guest has ended
	// standing is as limits are.
	standing func() jail.Standing

	template *plan.Template // what it is restored from, or becomes
	ram      *os.File       // the guest's memory, where it becomes one

	bios    bool          // the guest is booted through SeaBIOS
	decided chan struct{} // what follows a reset is settled
	resetAt time.Time     // of the last, where SeaBIOS is to follow; follow's own while it is not waiting
}

func waits(c *cell.Cell) bool { return c.GDB != nil && c.GDB.Wait }

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
	m.standing = sync.OnceValue(func() jail.Standing { return linuxjail.StandingOf(m.proc.Pid()) })
	go m.standing() // a hundred small files, which the guest need not wait for
	if err := t.screenPassword(ctx, m); err != nil {
		return held, err
	}
	t.watch(m)
	return held, nil
}

// newMachine is a machine without its process.
func (t *linuxProvisioner) newMachine(p *plan.Plan) *qemuMachine {
	return &qemuMachine{
		name:     p.Name,
		cell:     t.cell,
		accel:    p.Accel,
		queue:    make(chan Event, 4),
		failed:   make(chan hypervisor.Event, 1),
		exited:   make(chan struct{}),
		killed:   make(chan struct{}),
		decided:  make(chan struct{}, 1),
		rejoined: make(chan struct{}, 1),
		bios:     throughBIOS(p),
		screen:   hasScreen(p),
		ending:   t.env.Ending,
		waits:    waits(t.cell),
		workers:  t.workers,
		qmp:      t.workers.client,
		socket:   planSocket(t.plan, "qmp"),
	}
}

// wait waits for its process.
func (m *qemuMachine) wait() {
	m.exit, _ = m.proc.Wait(context.Background())
	close(m.exited)
}

// haveWorker waits for the worker, and writes down who it is.
func (t *linuxProvisioner) haveWorker(ctx context.Context) error {
	held, err := t.workers.wait(ctx)
	if err == nil {
		err = t.env.Begun(WorkerID, held)
	}
	return err
}

// watch has the end of QEMU, or of its worker, be seen.
func (t *linuxProvisioner) watch(m *qemuMachine) {
	go m.follow()
	m.workers.keep(m.exited, m.hand, func(reason string) {
		t.markWorker(reason)
		select {
		case m.rejoined <- struct{}{}:
		default:
		}
	}, func(err error) { t.env.Notify(t.plan.Name + ": cannot start the worker again yet: " + err.Error()) })
}

// markWorker says in the console's log and to the person that another worker was started.
func (t *linuxProvisioner) markWorker(reason string) {
	line := fmt.Sprintf("the worker was started again: %s", reason)
	if log := t.files["console-log"]; log != nil {
		_, _ = fmt.Fprintf(log, "\n[skep: %s]\n", line)
	}
	t.env.Notify(t.plan.Name + ": " + line)
}

// hand has the worker speak with QEMU.
func (m *qemuMachine) hand(ctx context.Context) error { return m.workers.hand(ctx, m.socket, m.words) }

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

func (m *qemuMachine) Process() (int, uint64) { return m.proc.Pid(), m.proc.StartTime() }
func (m *qemuMachine) Counted() *store.Reach  { return m.counts }
func (m *qemuMachine) Events() <-chan Event   { return m.queue }

// Run lets the guest run, unless a debugger is to do that.
func (m *qemuMachine) Run(ctx context.Context) error {
	if m.waits {
		return nil
	}
	return m.qmp.Cont(ctx)
}

func (m *qemuMachine) PowerButton(ctx context.Context) error {
	return m.qmp.SystemPowerdown(ctx)
}

// Record is the launcher's, and the limits that hold from here on.
func (m *qemuMachine) Record() jail.Record {
	r := m.proc.Record()
	if m.limits != nil {
		r.Limits, r.Cgroups = m.limits, m.groups
		standing := m.standing()
		r.Standing, r.Links = &standing, m.links
	}
	return r
}

// Reset starts the guest over in the same process and the same rootfs.
func (m *qemuMachine) Reset(ctx context.Context) error {
	defer func() { m.decided <- struct{}{} }()
	if m.bios {
		m.resetAt = time.Now()
	}
	return m.startOver(ctx)
}

// startOver begins another life of the guest. What was said of the one before
// is dropped while neither runs: one reset is often reported twice.
func (m *qemuMachine) startOver(ctx context.Context) error {
	if err := m.qmp.Reset(ctx); err != nil {
		return err
	}
	for stale := true; stale; {
		select {
		case _, stale = <-m.qmp.Events():
		default:
			stale = false
		}
	}
	if err := m.qmp.ForgetWords(ctx); err != nil {
		return err
	}
	return m.qmp.Cont(ctx)
}

// biosResets is how soon after a reset SeaBIOS resets once more. On a q35 board
// it finds itself where the reset has left it, in shadow RAM, copies itself anew
// and resets the machine, by a port and in the same breath by a triple fault.
// No guest has done that, and it is not the guest's end.
const biosResets = 5 * time.Second

// throughBIOS: where no other firmware is handed in SeaBIOS is the first, and what fetches a kernel.
func throughBIOS(p *plan.Plan) bool { return len(plan.Specs[*plan.Firmware](p)) == 0 }

// biosReset says whether a reset is SeaBIOS's own. At most one follows each
// Reset of the guest's.
func (m *qemuMachine) biosReset() bool {
	at := m.resetAt
	m.resetAt = time.Time{}
	return time.Since(at) < biosResets
}

func (m *qemuMachine) Kill() {
	select {
	case <-m.killed:
	default:
		close(m.killed)
	}
	_ = m.proc.Kill()
}

// evidence is what is known so far.
func (m *qemuMachine) evidence(events []hypervisor.Event) hypervisor.Evidence {
	ctx, cancel := context.WithTimeout(context.Background(), quitWait)
	defer cancel()
	words, triple := m.qmp.Words(ctx)
	e := hypervisor.Evidence{
		System: hypervisor.QEMU, Accel: m.accel, Ran: m.greeted, Events: events,
		TripleFault: triple, Stderr: words,
	}
	select {
	case <-m.killed:
		e.Killed = true
	default:
	}
	select {
	case <-m.exited:
		e.Gone = true
		if m.exit.Seen {
			e.Exit = &hypervisor.Exit{Status: m.exit.Code, Signal: m.exit.Signal}
		}
	default:
	}
	return e
}

// follow turns what QEMU says, and its exit, into events: any number of
// resets and one end.
func (m *qemuMachine) follow() {
	events := m.qmp.Events()
	var seen []hypervisor.Event
	for {
		var state hypervisor.RunState
		select {
		case ev, ok := <-events:
			if !ok {
				events = nil // the connection is gone; so, soon, is the process
				continue
			}
			if ev.Kind == hypervisor.EventIOError {
				m.ioFailed(ev)
				continue
			}
			seen = append(seen, ev)
			if ev.Kind == hypervisor.EventStop {
				ctx, cancel := context.WithTimeout(context.Background(), quitWait)
				if s, err := m.qmp.QueryStatus(ctx); err == nil {
					state = s.State
				}
				cancel()
			}
		case <-m.exited:
			// What it said last may still be waiting to be read.
			seen = append(seen, m.rest(events)...)
		case <-m.rejoined:
			if end, over := m.rejoin(); over {
				m.finish(end)
				return
			}
			continue
		}
		e := m.evidence(seen)
		e.State = state
		end, ok := hypervisor.Judge(e)
		if !ok {
			if len(seen) > 64 {
				seen = seen[len(seen)-64:]
			}
			continue
		}
		if (end.Kind == hypervisor.EndReset || end.Kind == hypervisor.EndTripleFault) && !e.Gone && m.biosReset() {
			seen = seen[:0]
			ctx, cancel := context.WithTimeout(context.Background(), quitWait)
			err := m.startOver(ctx)
			cancel()
			if err == nil {
				continue
			}
		}
		if end.Kind == hypervisor.EndReset && !e.Gone {
			seen = seen[:0]
			m.queue <- Event{Reset: true, End: end}
			select { // nothing happens to a guest that is to be reset
			case <-m.decided:
			case <-m.exited:
			}
			continue
		}
		m.finish(end)
		return
	}
}

// rest is what the worker has still to say of a QEMU that has ended.
func (m *qemuMachine) rest(events <-chan hypervisor.Event) (seen []hypervisor.Event) {
	if events == nil {
		return nil
	}
	late := time.After(quitWait)
	for {
		select {
		case ev, ok := <-events:
			if !ok {
				return seen
			}
			seen = append(seen, ev)
		case <-late:
			return seen
		}
	}
}

// rejoin finds out what has become of the guest while no worker was there to be told.
func (m *qemuMachine) rejoin() (end hypervisor.End, over bool) {
	ctx, cancel := context.WithTimeout(context.Background(), quitWait)
	defer cancel()
	status, err := m.qmp.QueryStatus(ctx)
	if err != nil {
		return end, false // the next worker, or the end, is on its way
	}
	switch status.State {
	case hypervisor.StateIOError:
		m.ioFailed(m.qmp.LastIOError(ctx))
	case hypervisor.StatePaused, hypervisor.StateRunning:
		_ = m.standAs(ctx, m.paused.Load())
	case hypervisor.StateDebug, hypervisor.StatePrelaunch:
	default:
		return notSeen(status.State, "while another worker was started"), true
	}
	return end, false
}

// notSeen is an end of which only the state is known that it has left QEMU in.
func notSeen(s hypervisor.RunState, when string) hypervisor.End {
	return hypervisor.End{Kind: hypervisor.EndNotSeen,
		Detail: fmt.Sprintf("the guest ended %s (QEMU: %s); whether it powered off or reset was not seen", when, s)}
}

// finish ends the process of a guest that has ended, and sends the end.
func (m *qemuMachine) finish(end hypervisor.End) {
	h := Event{End: end}
	ctx, cancel := context.WithTimeout(context.Background(), quitWait)
	defer cancel()
	select {
	case <-m.exited:
	default:
		m.ending()
		if end.Kind == hypervisor.EndInternalError {
			written, err := m.qmp.Written(ctx)
			h.Untouched = err == nil && !written
		}
		_ = m.qmp.Quit(ctx)
		select {
		case <-m.exited:
		case <-ctx.Done():
			_ = m.proc.Kill()
			<-m.exited
		}
	}
	m.queue <- h
}

// Screenshot connects to the screen as a viewer would, past the password: no
// call and no file of the rootfs is needed for it.
func (m *qemuMachine) Screenshot(ctx context.Context) (Picture, error) {
	// QEMU takes a viewer where there is nothing to see, keeps its descriptor and
	// never says a word (ui/vnc.c, vnc_display_add_client).
	if !m.screen {
		return Picture{}, fault.New(fault.Input, "add screen {} to the cell file", "see its screen: it has none")
	}
	ctx, cancel := context.WithTimeout(ctx, shotWait)
	defer cancel()
	ours, theirs, err := socketPair()
	if err != nil {
		return Picture{}, err
	}
	defer ours.Close()
	defer theirs.Close()
	png, err := memory("screenshot")
	if err != nil {
		return Picture{}, err
	}
	if err := m.qmp.Screenshot(ctx, ours, theirs, png); err != nil {
		png.Close()
		return Picture{}, err
	}
	return Picture{File: png}, nil
}
