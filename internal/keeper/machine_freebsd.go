package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"skep/internal/console"
	"skep/internal/devfs"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/jail"
	"skep/internal/jailparam"
	"skep/internal/network"
	"skep/internal/plan"
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
	taker   *bsdTaker
	spec    *plan.Bhyve
	prison  *plan.Prison
	tree    *plan.Tree
	dev     *plan.DevMount
	modem   *plan.Modem
	console *console.Server
	stderr  *stderrFile
	happen  chan happening
	counts  *store.Room
	rec     jail.Record
	emptied bool

	mu      sync.Mutex
	child   *jail.Child
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

// takeBhyve starts bhyve in its jail and waits until it is in capability mode;
// then the room is emptied behind it. The guest's first instruction comes after
// that mode is entered (vm_resume_cpu follows caph_enter in bhyverun.c).
func (t *bsdTaker) takeBhyve(ctx context.Context, s *plan.Bhyve) (store.Held, error) {
	m := &bhyveMachine{taker: t, spec: s, happen: make(chan happening, 4)}
	var errs [4]error
	m.prison, errs[0] = one[*plan.Prison](t.plan)
	m.tree, errs[1] = one[*plan.Tree](t.plan)
	m.dev, errs[2] = one[*plan.DevMount](t.plan)
	m.modem, errs[3] = one[*plan.Modem](t.plan)
	if err := errors.Join(errs[:]...); err != nil {
		return store.Held{}, err
	}
	var err error
	if m.stderr, err = openStderr(t.plan); err != nil {
		return store.Held{}, err
	}
	t.bhyve = m
	err = m.start(ctx)
	held := store.Held{}
	if m.child != nil {
		held.PID, held.Start = m.child.Pid(), m.child.Start()
	}
	return held, err
}

// start takes bhyve from nothing to a running guest in an empty room.
func (m *bhyveMachine) start(ctx context.Context) error {
	if len(m.spec.Loader) > 0 {
		if err := m.load(ctx); err != nil {
			return err
		}
	}
	before := int64(0)
	if m.console != nil {
		before = m.console.Said()
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
		// It ended before anybody could look. Whether the guest ran is told by
		// its console: bhyve says nothing on it.
		e := m.evidence(c)
		e.Ran = m.console.Said() > before
		end, _ := hypervisor.Judge(e)
		if !e.Ran {
			return &fault.Error{Code: fault.HypervisorDied, What: "start the hypervisor: " + end.Detail, Hint: "skep log --hypervisor NAME shows all it said"}
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

// prepare has a launcher stand ready in the jail, with the console's near end
// opened by it and the far end by us, and looks at the room's /dev once more.
func (m *bhyveMachine) prepare(ctx context.Context, path string, argv []string, keep bool) (*jail.Child, error) {
	t := m.taker
	l := jail.Launch{
		JID: t.jid, Path: jail.RoomPath(path), Argv: argv, UID: m.spec.UID, GID: m.spec.GID,
		Console: jail.RoomPath(m.modem.Inside), Stderr: t.files["hypervisor-log"],
	}
	for _, r := range m.spec.Rlimits {
		l.Limits = append(l.Limits, jail.Limit{Name: r.Name, Value: r.Value})
	}
	if keep {
		// The lock of an image lasts as long as a process has it open: the
		// hypervisor's life, should the keeper die.
		for _, d := range plan.Specs[*plan.Disk](t.plan) {
			if d.Type != plan.DiskFile && d.Type != plan.DiskISO {
				continue
			}
			if t.files["disk:"+d.Label] == nil {
				// Taken up from a dead keeper: the bhyve that held the lock is gone.
				f, _, err := disk.Open(d)
				if err != nil {
					return nil, err
				}
				t.hold("disk:"+d.Label, f)
			}
			l.Keep = append(l.Keep, t.files["disk:"+d.Label])
		}
	}
	c, err := jail.Prepare(ctx, l)
	if err != nil {
		return nil, launchFault(err)
	}
	if err := m.join(); err != nil {
		c.Kill()
		<-c.Exited()
		return nil, err
	}
	if err := inspect(m.dev, false); err != nil {
		c.Kill()
		<-c.Exited()
		return nil, err
	}
	return c, nil
}

// join opens the far end of the null modem, the first time.
func (m *bhyveMachine) join() error {
	if m.console != nil {
		return nil
	}
	t := m.taker
	f, err := console.OpenModem(m.modem.Outside)
	if err != nil {
		return fault.Wrap(fault.Host, err, "kldload nmdm; fstat "+m.modem.Outside+" shows whether another program has it", "open the console's far end")
	}
	t.hold("modem", f)
	l := t.sockets["console"]
	if l == nil {
		return errors.New("the plan has no console socket")
	}
	var log io.Writer = io.Discard
	for _, s := range plan.Specs[*plan.Log](t.plan) {
		if s.Name == "console-log" {
			log = &console.BoundedLog{W: t.files[s.Name], Path: s.Path, Max: int64(s.Max)}
		}
	}
	m.console = console.Serve(f, log, l, t.keeper.Prepared != nil)
	return nil
}

// load runs bhyveload in the jail. It reads what the guest wrote, so it has the
// jail, the limits and the hardening that bhyve has.
func (m *bhyveMachine) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadWait)
	defer cancel()
	argv := append([]string{"bhyveload"}, m.spec.Loader[1:]...)
	c, err := m.prepare(ctx, m.spec.Loader[0], argv, false)
	if err != nil {
		return err
	}
	if err := c.Go(); err != nil {
		return launchFault(err)
	}
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for running := true; running; {
		select {
		case <-c.Exited():
			running = false
		case <-look.C:
			// Whoever is tired of the menu need not wait for its end.
			o, ok := m.taker.keeper.pendingStop()
			if !ok {
				continue
			}
			c.Kill()
			<-c.Exited()
			m.taker.keeper.stop = &o
			o.answer(nil)
			return fault.New(fault.Stopped, "", "load the guest: stopped by %s", o.who)
		case <-ctx.Done():
			c.Kill()
			<-c.Exited()
			return fault.New(fault.HypervisorDied, "", "load the guest: bhyveload was still at it after %s", loadWait)
		}
	}
	if e := c.Exit(); e.Code != 0 || e.Signal != 0 {
		m.stderr.catchUp()
		return fault.New(fault.HypervisorDied, "skep log shows what the loader said on the console", "load the guest: bhyveload ended with %s: %s", exitText(e), m.stderr.read.LastWords())
	}
	return nil
}

func exitText(e jail.Exit) string {
	if e.Signal != 0 {
		return syscall.Signal(e.Signal).String()
	}
	return fmt.Sprintf("status %d", e.Code)
}

// launchFault says what a person can do about a launcher that failed.
func launchFault(err error) error {
	var step *jail.StepError
	if errors.As(err, &step) {
		return &fault.Error{Code: fault.Jail, Hint: "skep doctor shows what this host has", What: "enter the jail: " + step.Step, Err: step.Errno}
	}
	return fault.Wrap(fault.Jail, err, "", "enter the jail")
}

// sandboxed waits until bhyve is seen in capability mode. over: it has ended.
func (m *bhyveMachine) sandboxed(ctx context.Context, c *jail.Child) (over bool, err error) {
	deadline := time.Now().Add(sandboxWait)
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		info, err := jail.Look(c.Pid())
		if err == nil && info.Capability {
			return false, nil
		}
		if err != nil && !errors.Is(err, jail.ErrGone) {
			return false, err
		}
		select {
		case <-c.Exited():
			return true, nil
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(pause):
		}
		if time.Now().After(deadline) {
			return false, fault.New(fault.Jail, "skep log --hypervisor NAME shows what it said", "trust bhyve: it is not in capability mode after %s", sandboxWait)
		}
	}
}

// close compares the room's /dev with the plan for the last time and takes
// away what only the start needed: files, nodes, and root's being root.
func (m *bhyveMachine) close(c *jail.Child) error {
	if err := inspect(m.dev, true); err != nil {
		select {
		case <-c.Exited():
			// Its nodes went with it; follow tells how it ended.
		default:
			return err
		}
	}
	wrong := func(err error) error {
		return fault.Wrap(fault.Jail, err, "", "close the room of %s", m.taker.plan.Name)
	}
	if err := hide(m.dev, true); err != nil {
		return wrong(err)
	}
	if err := strip(m.tree); err != nil {
		return wrong(err)
	}
	for _, s := range plan.Specs[*plan.Mount](m.taker.plan) {
		if s.Passing {
			if err := jail.Unmount(s.Path); err != nil {
				return wrong(err)
			}
		}
	}
	if m.prison.Suser {
		if err := jail.UpdatePrison(m.taker.jid, jailparam.Bool("allow.suser", false)); err != nil {
			return wrong(err)
		}
	}
	m.emptied = true
	m.counts = m.count()
	m.rec = jail.Record{Layers: jail.Evidence(c.Pid(), m.taker.jid, m.program()), Steps: len(m.taker.plan.Resources), Sealed: true}
	return nil
}

// program is the host's file that bhyve was copied from.
func (m *bhyveMachine) program() jail.HostPath {
	for _, f := range m.tree.Files {
		if f.Room == m.spec.Path {
			return jail.HostPath(f.Host)
		}
	}
	return jail.HostPath(filepath.Join(m.tree.Path, m.spec.Path))
}

// count is what can still be reached by a name in the room.
func (m *bhyveMachine) count() *store.Room {
	r := &store.Room{Mounts: 2}
	if m.tree.Existing {
		r.Files = -1 // all of the tree that the cell file names
	}
	for _, s := range plan.Specs[*plan.Mount](m.taker.plan) {
		if s.Passing {
			continue
		}
		r.Mounts++
		if s.Size == 0 {
			r.Files++
		}
	}
	if nodes, err := devfs.List(m.dev.Path); err == nil {
		for _, n := range nodes {
			if n.Kind != devfs.Directory {
				r.Nodes++
			}
		}
	}
	return r
}

// open undoes close, for a reset.
func (m *bhyveMachine) open() error {
	if !m.emptied {
		return nil
	}
	m.emptied = false
	if m.prison.Suser {
		if err := jail.UpdatePrison(m.taker.jid, jailparam.Bool("allow.suser", true)); err != nil {
			return err
		}
	}
	if err := unlock(m.tree); err != nil {
		return err
	}
	if err := m.taker.furnish(m.tree); err != nil {
		return err
	}
	for _, s := range plan.Specs[*plan.Mount](m.taker.plan) {
		if s.Passing {
			if err := takeMount(s); err != nil {
				return err
			}
		}
	}
	return hide(m.dev, false)
}

// upTaps brings our taps up again: a tap goes down when bhyve closes it.
func (m *bhyveMachine) upTaps() {
	for _, tap := range plan.Specs[*plan.Tap](m.taker.plan) {
		if !tap.Admin {
			if err := network.Up(tap.Name); err != nil {
				m.taker.keeper.Notify("cannot bring up " + tap.Name + ": " + err.Error())
			}
		}
	}
}

func (m *bhyveMachine) process() (int, uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.child == nil {
		return 0, 0
	}
	return m.child.Pid(), m.child.Start()
}

func (m *bhyveMachine) record() jail.Record          { return m.rec }
func (m *bhyveMachine) room() *store.Room            { return m.counts }
func (m *bhyveMachine) happenings() <-chan happening { return m.happen }

// firstClient bounds the wait for whoever wants to see all of the console.
const firstClient = 2 * time.Second

// run has nothing to let go: bhyve cannot be held at its first instruction.
func (m *bhyveMachine) run(context.Context) error {
	if m.console != nil && m.taker.keeper.Prepared != nil {
		m.console.Settle(firstClient)
	}
	return nil
}

// powerButton: bhyve(8) makes an ACPI power button of SIGTERM. Until the guest
// has turned ACPI on, the signal does what it does to every program.
func (m *bhyveMachine) powerButton(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.child == nil {
		return nil
	}
	m.pressed = true
	return m.child.Signal(syscall.SIGTERM)
}

// reset starts the guest over: bhyve ends at a reset, so this is another bhyve
// in the same jail, with the room as it was at the start.
func (m *bhyveMachine) reset(ctx context.Context) error {
	m.stderr.read.Clear()
	err := m.open()
	if err == nil {
		err = destroyInside(m.taker.jid, m.spec.VM)
	}
	if err == nil {
		err = m.start(ctx)
	}
	if err != nil {
		m.kill()
		m.deliver(hypervisor.End{Kind: hypervisor.EndHypervisorCrash, Detail: "it could not be started again after a reset: " + err.Error()})
		return err
	}
	k := m.taker.keeper
	k.state.PID, k.state.PIDStart = m.process()
	rec := m.record()
	k.state.Jail, k.state.Room = &rec, m.room()
	return nil
}

// destroyInside ends the VM as root of its jail, which is root for that moment.
func destroyInside(jid int, name string) error {
	if on, err := jail.Permission(jid, "allow.suser"); err == nil && !on {
		if err := jail.UpdatePrison(jid, jailparam.Bool("allow.suser", true)); err != nil {
			return err
		}
	}
	return jail.DestroyVM(jid, name)
}

func (m *bhyveMachine) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.killed = true
	if m.child != nil {
		m.child.Kill()
	}
}

// evidence is what is known of the end of one bhyve.
func (m *bhyveMachine) evidence(c *jail.Child) hypervisor.Evidence {
	m.stderr.catchUp()
	m.mu.Lock()
	defer m.mu.Unlock()
	e := hypervisor.Evidence{System: hypervisor.Bhyve, Ran: true, Killed: m.killed, Stderr: m.stderr.read.LastWords(), Gone: true}
	if x := c.Exit(); x.Seen {
		e.Exit = &hypervisor.Exit{Status: x.Code, Signal: x.Signal}
	}
	return e
}

// follow waits for one bhyve's end and says what it means.
func (m *bhyveMachine) follow(c *jail.Child) {
	<-c.Exited()
	e := m.evidence(c)
	end, _ := hypervisor.Judge(e)
	m.mu.Lock()
	pressed := m.pressed
	m.mu.Unlock()
	if !e.Killed {
		p, found, err := ours(m.prison)
		switch {
		case pressed && e.Exit != nil && e.Exit.Signal == int(syscall.SIGTERM):
			end = hypervisor.End{Kind: hypervisor.EndKilled, Detail: "bhyve ended at the power button: the guest had not turned ACPI on"}
		case err == nil && (!found || p.Dying):
			// jail(8) -r presses the power button before it kills.
			end.Detail = "its jail was removed from outside; " + end.Detail
			if end.Kind == hypervisor.EndReset {
				end.Kind = hypervisor.EndNotSeen
			}
		}
	}
	m.deliver(end)
}

func (m *bhyveMachine) deliver(end hypervisor.End) {
	m.happen <- happening{reset: end.Kind == hypervisor.EndReset, end: end}
}

// releaseBhyve ends the process. A sweep ends whatever runs in the cell's jail:
// a keeper may have died between starting bhyve and writing down its number,
// and a VM whose bhyve lives cannot be destroyed.
func (t *bsdTaker) releaseBhyve(ctx context.Context, s *plan.Bhyve, h store.Held) error {
	if t.bhyve == nil {
		if h.PID != 0 && jail.Lives(h.PID, h.Start) {
			_ = syscall.Kill(h.PID, syscall.SIGKILL)
		}
		return emptyPrison(ctx, s.Jail)
	}
	m := t.bhyve
	m.kill()
	m.mu.Lock()
	c := m.child
	m.mu.Unlock()
	if c != nil {
		select {
		case <-c.Exited():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.stderr.f.Close()
	return nil
}

// emptyPrison kills what runs in a jail and waits until it is gone.
func emptyPrison(ctx context.Context, name string) error {
	p, err := jail.FindPrison(name)
	if errors.Is(err, jail.ErrNoPrison) || err == nil && p.Dying {
		return nil
	}
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(endWait); ; time.Sleep(5 * time.Millisecond) {
		inside, err := jail.Inside(p.JID)
		if err != nil || len(inside) == 0 {
			return err
		}
		for _, i := range inside {
			_ = syscall.Kill(i.PID, syscall.SIGKILL)
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("process %d of jail %s was killed and is still there", inside[0].PID, name)
		}
	}
}

// releaseModem closes our end, with which the pair goes, and lets the client
// have the guest's last words.
func (t *bsdTaker) releaseModem() error {
	t.drop("modem")
	if t.bhyve != nil && t.bhyve.console != nil {
		t.bhyve.console.Close(time.Second)
	}
	return nil
}

// screenshot needs a screen.
func (m *bhyveMachine) screenshot(ctx context.Context) ([]byte, error) {
	return m.taker.screenshot(ctx)
}

// stderrFile reads what the hypervisor's standard error adds to its log.
type stderrFile struct {
	f    *os.File
	at   int64
	read hypervisor.Stderr
}

func openStderr(p *plan.Plan) (*stderrFile, error) {
	for _, l := range plan.Specs[*plan.Log](p) {
		if l.Name == "hypervisor-log" {
			f, err := os.Open(l.Path)
			if err != nil {
				return nil, err
			}
			at, err := f.Seek(0, io.SeekEnd)
			return &stderrFile{f: f, at: at}, err
		}
	}
	return nil, errors.New("the plan has no log for the hypervisor")
}

// catchUp reads what is new. A log that was cut is read from its start.
func (s *stderrFile) catchUp() {
	if info, err := s.f.Stat(); err == nil && info.Size() < s.at {
		s.at = 0
	}
	n, _ := io.Copy(&s.read, io.NewSectionReader(s.f, s.at, 1<<20))
	s.at += n
}
