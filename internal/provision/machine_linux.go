package provision

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
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
