package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/hypervisor"
	"skep/internal/input"
	"skep/internal/jail"
	"skep/internal/plan"
	"skep/internal/provision"
	"skep/internal/store"
)

// world is a host in which nothing is real but skep's own directories: what is acquired is a name in a
// set, and a hypervisor is a value that does what the test says.
type world struct {
	t     *testing.T
	dirs  host.Dirs
	store *store.Store
	facts host.Facts

	mu        sync.Mutex
	held      map[string]bool
	machines  map[int]*machine
	listeners []*pipes
	points    []string // every crash point that was passed
	notes     []string

	// What the test decides.
	dieAt   string                        // a crash point
	fail    func(id string) error         // acquiring that fails
	stuck   func(id string) error         // releasing that does
	acquire func(e provision.Env) error   // what starting the hypervisor does besides
	look    func(r plan.Resource) []error // what looking beforehand finds
	adopt   error                         // what adopting says
	boot    func(m *machine)              // what a guest does once it runs
	busy    int
}

// slotBusy has the first slot that is asked for be busy, where the test wants that with a -1.
func (w *world) slotBusy(p *plan.Plan) bool {
	if w.busy == -1 {
		w.busy = p.Slot
		return true
	}
	return false
}

// machine is a hypervisor of the world.
type machine struct {
	w            *world
	pid          int
	events       chan provision.Event
	disks        chan hypervisor.Event
	refused      chan struct{}
	refusals     jail.Refusals
	resumes      int
	resumeErr    error
	presses      []time.Time
	resets       int
	unresponsive bool // ignores its power button
	runs         bool
	resetErr     error
	buttonErr    error
	once         sync.Once
}

// inWorld makes a world and has the keeper live in it.
func inWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, held: map[string]bool{}, machines: map[int]*machine{}}
	w.dirs = host.Dirs{
		Run:    filepath.Join(dir, "run"),
		State:  filepath.Join(dir, "state"),
		Config: filepath.Join(dir, "config"),
	}
	var err error
	if w.store, err = store.Open(w.dirs); err != nil {
		t.Fatal(err)
	}
	if w.facts, err = host.Reference("linux"); err != nil {
		t.Fatal(err)
	}
	w.facts.Dirs = w.dirs
	before := thisHost
	t.Cleanup(func() { thisHost = before })
	thisHost = system{
		provisioner: func(c provision.Config) provision.Provisioner { return &provisioner{w: w, c: c} },
		sweeper:     func(bool) provision.Provisioner { return &provisioner{w: w} },
		slotBusy:    w.slotBusy,
		lives:       w.lives,
		listen:      w.listen,
		crash:       w.crash,
	}
	return w
}

// death is what a keeper ends with that dies at a crash point.
type death struct{ at string }

func (w *world) crash(step, id string) {
	at := step + ":" + id
	w.points = append(w.points, at)
	if at == w.dieAt {
		w.dieAt = ""
		panic(death{at})
	}
}

func (w *world) lives(pid int, _ uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.machines[pid] != nil
}

// left is what is still held.
func (w *world) left() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Sorted(maps.Keys(w.held))
	for pid := range w.machines {
		all = append(all, fmt.Sprint("process ", pid))
	}
	return all
}

// nothingLeft fails where something is.
func (w *world) nothingLeft(name string) {
	w.t.Helper()
	if left := w.left(); len(left) > 0 {
		w.t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(w.store.RunDir(name)); !errors.Is(err, os.ErrNotExist) {
		w.t.Errorf("the run directory is left: %v", err)
	}
	if slots, _ := w.store.Slots(); len(slots) > 0 {
		w.t.Errorf("slots are left: %v", slots)
	}
}

// hangUp closes what a dead keeper has left open.
func (w *world) hangUp() {
	for _, l := range w.listeners {
		l.Close()
	}
}

// keeper is one for a cell of a cell file.
func (w *world) keeper(file string, change func(*Config)) *Keeper {
	w.t.Helper()
	c, diags := cell.Parse("t.hcl", []byte(file))
	if len(diags) > 0 {
		w.t.Fatal(diags)
	}
	cfg := Config{
		Cell:   c,
		Facts:  w.facts,
		Store:  w.store,
		Notify: func(line string) { w.notes = append(w.notes, line) },
	}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

// run keeps a cell to its end, or to the keeper's death.
func run(ctx context.Context, keep func(context.Context) (Outcome, error)) (out Outcome, died string, err error) {
	defer func() {
		if r := recover(); r != nil {
			d, ok := r.(death)
			if !ok {
				panic(r)
			}
			died = d.at
		}
	}()
	out, err = keep(ctx)
	return out, "", err
}

// provisioner acquires in the world.
type provisioner struct {
	w *world
	c provision.Config
	m *machine
}

func (p *provisioner) Acquire(_ context.Context, r plan.Resource) (h store.Held, err error) {
	w := p.w
	if w.fail != nil {
		if err := w.fail(r.ID); err != nil {
			return h, err
		}
	}
	switch s := r.Spec.(type) {
	case *plan.Slot:
		if err := os.WriteFile(s.File, []byte(s.Name+"\n"), 0o600); err != nil {
			return h, err
		}
	case *plan.Screen:
		p.c.Env.Screen("there")
	case *plan.Hypervisor:
		return p.start(r.ID)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held[r.ID] {
		return h, fmt.Errorf("%s is held already", r.ID)
	}
	w.held[r.ID] = true
	return h, nil
}

func (p *provisioner) start(id string) (h store.Held, err error) {
	w := p.w
	w.mu.Lock()
	p.m = &machine{
		w:       w,
		pid:     5000 + len(w.points),
		events:  make(chan provision.Event, 4),
		disks:   make(chan hypervisor.Event, 1),
		refused: make(chan struct{}, 1),
	}
	w.machines[p.m.pid] = p.m
	w.mu.Unlock()
	h.PID, h.Start = p.m.pid, 1
	if err := p.c.Env.Begun(id, h); err != nil {
		return h, err
	}
	if w.acquire != nil {
		return h, w.acquire(p.c.Env)
	}
	return h, nil
}

func (p *provisioner) Release(_ context.Context, r plan.Resource, h store.Held) error {
	w := p.w
	if w.stuck != nil {
		if err := w.stuck(r.ID); err != nil {
			return err
		}
	}
	if s, ok := r.Spec.(*plan.Slot); ok {
		_ = os.Remove(s.File)
	}
	if s, ok := r.Spec.(*plan.Socket); ok && s.Path != "" {
		_ = os.Remove(s.Path)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.held, r.ID)
	if r.ID == provision.HypervisorID {
		delete(w.machines, h.PID)
		if p.m != nil {
			delete(w.machines, p.m.pid)
		}
	}
	return nil
}

func (p *provisioner) Look(r plan.Resource, _ map[string]*os.File) []error {
	if p.w.look == nil {
		return nil
	}
	return p.w.look(r)
}

func (p *provisioner) Adopt(_ context.Context, _ []store.Outstanding, st store.State) error {
	p.m = p.w.machines[st.PID]
	return p.w.adopt
}

func (p *provisioner) Machine() provision.Machine {
	if p.m == nil {
		return nil
	}
	return p.m
}

func (p *provisioner) Fixture(
	ctx context.Context,
	_ plan.Resource,
	started func(store.Held) error,
	act func(context.Context, provision.Fixture) error,
) error {
	if err := started(store.Held{PID: 7, Start: 1}); err != nil {
		return err
	}
	return act(ctx, provision.Fixture{})
}

func (m *machine) Process() (int, uint64) { return m.pid, 1 }
func (m *machine) Record() jail.Record    { return jail.Record{Sealed: true} }
func (m *machine) Counted() *store.Reach  { return &store.Reach{Mounts: 1} }

func (m *machine) Events() <-chan provision.Event { return m.events }

func (m *machine) Refusals() jail.Refusals  { return m.refusals }
func (m *machine) Refused() <-chan struct{} { return m.refused }

func (m *machine) IOErrors() <-chan hypervisor.Event { return m.disks }

func (m *machine) Resume(context.Context) error {
	m.resumes++
	return m.resumeErr
}

func (m *machine) Pause(context.Context) (bool, error) { return true, nil }
func (m *machine) Unpause(context.Context) error       { return nil }

func (m *machine) Run(context.Context) error {
	m.runs = true
	if m.w.boot != nil {
		go m.w.boot(m)
	}
	return nil
}

func (m *machine) PowerButton(context.Context) error {
	m.presses = append(m.presses, time.Now())
	if !m.unresponsive {
		m.end(hypervisor.EndPowerOff, "powered off")
	}
	return m.buttonErr
}

func (m *machine) Reset(context.Context) error {
	m.resets++
	return m.resetErr
}

func (m *machine) Kill() { m.end(hypervisor.EndKilled, "killed") }

func (m *machine) Snapshot(context.Context, string, string) error { return nil }
func (m *machine) Freeze(context.Context) error                   { return nil }
func (m *machine) Input(context.Context, []input.Step) error      { return nil }
func (m *machine) Dump(context.Context, string, *os.File) error   { return nil }
func (m *machine) Screenshot(context.Context) (provision.Picture, error) {
	f, err := os.CreateTemp(m.w.t.TempDir(), "")
	if err == nil {
		_, err = f.WriteString("PNG")
	}
	return provision.Picture{File: f}, err
}

// end is the hypervisor's, once.
func (m *machine) end(kind hypervisor.EndKind, detail string) {
	m.once.Do(func() {
		m.w.mu.Lock()
		delete(m.w.machines, m.pid)
		m.w.mu.Unlock()
		m.events <- provision.Event{End: hypervisor.End{Kind: kind, Detail: detail}, Untouched: true}
	})
}

func (m *machine) reset() { m.events <- provision.Event{Reset: true} }

// the is the one machine that lives.
func (w *world) the() *machine {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.machines) != 1 {
		w.t.Fatalf("%d hypervisors live", len(w.machines))
	}
	for _, m := range w.machines {
		return m
	}
	return nil
}

// pipes is a listener without a network: everything waits where a test's clock can see it.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (w *world) listen(string) (net.Listener, error) {
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	w.listeners = append(w.listeners, l)
	return l, nil
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "control", Net: "unix"} }

// dial connects to the keeper that listens.
func (w *world) dial() *Client {
	w.t.Helper()
	ours, theirs := net.Pipe()
	select {
	case w.listeners[len(w.listeners)-1].conns <- theirs:
	case <-time.After(time.Minute):
		w.t.Fatal("nobody listens")
	}
	return &Client{conn: ours, in: json.NewDecoder(ours)}
}

func (*machine) Worker() (*store.Worker, *jail.Record) { return nil, nil }
func (*machine) WorkerChanged() <-chan struct{}        { return nil }
