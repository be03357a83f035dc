package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/input"
	"skep/internal/jail"
	"skep/internal/jail/freebsdjail"
	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/store"
)

// Bounds on waiting for bhyve.
const (
	sandboxWait = 60 * time.Second // until it is in capability mode
	loadWait    = 10 * time.Minute // a loader's menu may wait for a person
	endWait     = 20 * time.Second // until a killed one is gone
)

// bhyveMachine is a live bhyve in its jail, and after each reset the next.
type bhyveMachine struct {
	provisioner *bsdProvisioner
	spec        *plan.Bhyve
	prison      *plan.Prison
	tree        *plan.JailRootfs
	dev         *plan.DevMount
	modem       *plan.Modem
	words       string      // bhyve's log
	from        int64       // where in it begins what this keeper has not seen
	settled     atomic.Bool // nobody is waited for any more who is to see all of the console
	handing     sync.Mutex  // held while a worker is handed what it reads
	far         *os.File    // the far end of the null modem, once it is open
	queue       chan Event
	counts      *store.Reach
	rec         jail.Record
	emptied     bool

	mu      sync.Mutex
	child   *freebsdjail.Child
	killed  bool
	pressed bool
}

// one is the only spec of its type in a plan.
func one[T plan.Spec](p *plan.Plan) (T, error) {
	all := plan.Specs[T](p)
	if len(all) != 1 {
		var none T
		return none, fmt.Errorf("the plan has %d of %T", len(all), none)
	}
	return all[0], nil
}

// acquireBhyve starts bhyve in its jail and waits until it is in capability mode;
// then the rootfs is emptied behind it. The guest's first instruction comes after
// that mode is entered (vm_resume_cpu follows caph_enter in bhyverun.c).
func (t *bsdProvisioner) acquireBhyve(ctx context.Context, s *plan.Bhyve) (store.Held, error) {
	m, err := t.newMachine(s)
	if err != nil {
		return store.Held{}, err
	}
	t.bhyve = m
	if err = m.haveWorker(ctx); err == nil {
		m.keepWorker()
		err = m.start(ctx)
	}
	held := store.Held{}
	if m.child != nil {
		held.PID, held.Start = m.child.Pid(), m.child.Start()
	}
	return held, err
}

// newMachine finds what bhyve is to be surrounded with; all of that is acquired by now.
func (t *bsdProvisioner) newMachine(s *plan.Bhyve) (*bhyveMachine, error) {
	m := &bhyveMachine{provisioner: t, spec: s, queue: make(chan Event, 4)}
	var errs [4]error
	m.prison, errs[0] = one[*plan.Prison](t.plan)
	m.tree, errs[1] = one[*plan.JailRootfs](t.plan)
	m.dev, errs[2] = one[*plan.DevMount](t.plan)
	m.modem, errs[3] = one[*plan.Modem](t.plan)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return m, m.findLog()
}

// findLog finds where bhyve says what goes wrong.
func (m *bhyveMachine) findLog() error {
	for _, l := range plan.Specs[*plan.Log](m.provisioner.plan) {
		if l.Name == "hypervisor-log" {
			info, err := os.Stat(l.Path)
			if err != nil {
				return err
			}
			m.words, m.from = l.Path, info.Size()
			return nil
		}
	}
	return errors.New("the plan has no log for the hypervisor")
}

// start takes bhyve from nothing to a running guest in an empty rootfs.
func (m *bhyveMachine) start(ctx context.Context) error {
	if len(m.spec.Loader) > 0 {
		if err := m.load(ctx); err != nil {
			return err
		}
	}
	before := uint64(0)
	if m.far != nil {
		before = m.said(ctx)
	}
	c, err := m.prepare(ctx, m.spec.Path, m.spec.Argv, true)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.child = c
	m.mu.Unlock()
	if err := c.Go(); err != nil {
		return launchFault(err)
	}
	over, err := m.sandboxed(ctx, c)
	if err != nil {
		return err
	}
	if over {
		// It ended before anybody could look. Whether the guest ran is known by
		// its console: bhyve says nothing on it.
		e := m.evidence(c)
		e.Ran = m.said(ctx) > before
		end, _ := hypervisor.Judge(e)
		if !e.Ran {
			return &fault.Error{Code: fault.HypervisorDied, Op: "start the hypervisor", Reason: end.Detail, Hint: "skep log --hypervisor " + m.provisioner.plan.Name + " shows all it said"}
		}
		m.deliver(end)
		return nil
	}
	if err := m.close(c); err != nil {
		return err
	}
	m.upTaps()
	go m.follow(c)
	return nil
}

// sandboxed waits until bhyve is seen in capability mode. over: it has ended.
func (m *bhyveMachine) sandboxed(ctx context.Context, c *freebsdjail.Child) (over bool, err error) {
	deadline := time.Now().Add(sandboxWait)
	t := m.provisioner
	viewer := t.cell.Screen != nil && t.cell.Screen.Wait
	if viewer {
		t.env.Notify("waits for a viewer on " + cmp.Or(t.shown, "its screen"))
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		info, err := process.Look(c.Pid())
		if err == nil && info.Capability {
			return false, nil
		}
		if err != nil && !errors.Is(err, process.ErrGone) {
			return false, err
		}
		select {
		case <-c.Exited():
			return true, nil
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(pause):
		}
		if viewer {
			// A person takes as long as they like, or gives up.
			if who, ok := t.env.StopAsked(); ok {
				c.Kill()
				<-c.Exited()
				return false, fault.New(fault.Stopped, "", "wait for a viewer: stopped by %s", who)
			}
			continue
		}
		if time.Now().After(deadline) {
			return false, fault.New(fault.Jail, "skep log --hypervisor "+m.provisioner.plan.Name+" shows what it said", "trust bhyve: it is not in capability mode after %s", sandboxWait)
		}
	}
}

func (m *bhyveMachine) Process() (int, uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.child == nil {
		return 0, 0
	}
	return m.child.Pid(), m.child.Start()
}

func (m *bhyveMachine) Record() jail.Record { return m.rec }

func (m *bhyveMachine) Counted() *store.Reach { return m.counts }

// Refusals: in capability mode the kernel refuses, and counts nothing.
func (m *bhyveMachine) Refusals() jail.Refusals  { return jail.Refusals{} }
func (m *bhyveMachine) Refused() <-chan struct{} { return nil }

// stopWait is how long the threads of a stopped process may take to get there:
// each finishes the call that it is in.
const stopWait = 200 * time.Millisecond

// Pause implements Machine: bhyve knows no such thing, but its process can be
// stopped, and what it has written is with the kernel.
func (m *bhyveMachine) Pause(context.Context) (bool, error) {
	if m.child == nil {
		return false, errors.New("it is between two lives")
	}
	err := m.child.Signal(syscall.SIGSTOP)
	time.Sleep(stopWait)
	return err == nil, err
}

// Unpause implements Machine.
func (m *bhyveMachine) Unpause(context.Context) error {
	if m.child == nil {
		return nil
	}
	return m.child.Signal(syscall.SIGCONT)
}

// IOErrors: bhyve answers the guest with an I/O error and tells nobody else.
func (m *bhyveMachine) IOErrors() <-chan hypervisor.Event { return nil }
func (m *bhyveMachine) Resume(context.Context) error      { return errors.ErrUnsupported }

func (m *bhyveMachine) Events() <-chan Event { return m.queue }

// firstClient bounds the wait for whoever wants to see all of the console.
const firstClient = 2 * time.Second

// Run has nothing to let go: bhyve cannot be held at its first instruction.
func (m *bhyveMachine) Run(ctx context.Context) error {
	if m.far != nil && m.provisioner.firstClient {
		_ = m.provisioner.workers.client.SettleConsole(ctx, firstClient*4/3)
	}
	m.settled.Store(true)
	return nil
}

// powerButton: bhyve(8) makes an ACPI power button of SIGTERM. Until the guest
// has turned ACPI on, the signal does what it does to every program.
func (m *bhyveMachine) PowerButton(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.child == nil {
		return nil
	}
	m.pressed = true
	return m.child.Signal(syscall.SIGTERM)
}

// Reset starts the guest over: bhyve ends at a reset, so this is another bhyve
// in the same jail, with the rootfs as it was at the start.
func (m *bhyveMachine) Reset(ctx context.Context) error {
	_ = m.provisioner.workers.client.ForgetWords(ctx)
	err := m.open()
	if err == nil {
		var strangers []string
		strangers, err = m.provisioner.destroyStrangers(m.provisioner.jid, m.spec.VM, true)
		if err == nil && len(strangers) > 0 {
			err = errors.New("its jail had VMs that no plan names")
		}
	}
	if err == nil {
		err = m.start(ctx)
	}
	if err != nil {
		m.Kill()
		if who, asked := m.provisioner.env.StopAsked(); asked {
			m.deliver(hypervisor.End{Kind: hypervisor.EndKilled, Detail: "ended by " + who + " while it started over"})
			return err
		}
		m.deliver(hypervisor.End{Kind: hypervisor.EndHypervisorCrash, Detail: "it could not be started again after a reset: " + err.Error()})
		return err
	}
	m.provisioner.env.Process(m)
	return nil
}

// ChangeMedium is nothing that a bhyve does: it opens what is in a drive when it starts, by its path.
func (m *bhyveMachine) ChangeMedium(context.Context, string, string) error {
	return fault.New(fault.Input, "name the image in the cell file, then skep restart", "change what is in a drive of a guest that runs: bhyve cannot")
}

// Grow is for a guest that does not run: skep has no way to have bhyve look at the size of a file again.
func (m *bhyveMachine) Grow(context.Context, string, cell.Size) (uint64, error) {
	return 0, fault.New(fault.Input, "skep down stops it", "make a disk grow while its guest runs: bhyve is not told of it")
}

// Snapshot is nothing that a bhyve does: the kernels of FreeBSD 14 and 15 are built without BHYVE_SNAPSHOT.
func (m *bhyveMachine) Snapshot(context.Context, string, string) error {
	return fault.Wrap(fault.Host, errors.ErrUnsupported, "skep down, and snapshot its disks", "snapshot a guest that runs")
}

// Freeze implements Machine. No plan of this host has a template.
func (m *bhyveMachine) Freeze(context.Context) error { return errors.ErrUnsupported }

// Input goes over VNC, as a viewer's hands do.
func (m *bhyveMachine) Input(ctx context.Context, steps []input.Step) error {
	return m.provisioner.input(ctx, steps)
}

// Screenshot needs a screen.
func (m *bhyveMachine) Screenshot(ctx context.Context) (Picture, error) {
	return m.provisioner.screenshot(ctx)
}
