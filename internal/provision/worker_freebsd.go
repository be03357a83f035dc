package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"skep/internal/console"
	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/jail/freebsdjail"
	"skep/internal/jailparam"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/store"
	"skep/internal/worker"
)

// quitWait bounds what a worker is asked for while a cell ends.
const quitWait = 5 * time.Second

// Rights of what a worker has and is handed, as freebsdjail.Limited names them. The audit has the same table.
const (
	rightsNone    = ""
	rightsSay     = "write fstat"                               // its standard output and error
	rightsStream  = "read write event fcntl"                    // sockets, the console
	rightsRead    = "read seek seek_tell fstat"                 // the hypervisor's log, a guest's memory
	rightsCut     = "read write seek seek_tell fstat ftruncate" // a log to be cut
	rightsAppend  = "write seek seek_tell fstat"                // the same, at its end; a picture
	rightsWrite   = "write event fcntl fstat"                   // where a guest's memory goes
	rightsReadAll = "read event fcntl"                          // a pipe
)

// workerMemory is what a worker's runtime keeps below.
const workerMemory = 256 << 20

// planWorker is the plan's; a cell that an older skep has started has none there.
func (t *bsdProvisioner) planWorker() (w *plan.Worker, planned bool) {
	for _, w := range plan.Specs[*plan.Worker](t.plan) {
		return w, true
	}
	for _, d := range plan.Specs[*plan.Directory](t.plan) {
		return &plan.Worker{Jail: plan.WorkerJail(t.plan.Name), Root: filepath.Join(d.Path, layout.Worker), UID: unplannedWorker, GID: unplannedWorker}, false
	}
	return nil, false
}

// unplannedWorker is the user nobody.
const unplannedWorker = 65534

// workerPrison is its jail, for those that look a jail up. A drill's may have the host's root, on purpose; no cell's name
// begins as a drill's does.
func workerPrison(s *plan.Worker) *plan.Prison {
	prison := &plan.Prison{Name: s.Jail, Path: s.Root}
	if strings.HasPrefix(s.Jail, plan.WorkerJail("_")) {
		if p, err := freebsdjail.FindPrison(s.Jail); err == nil && p.Path == "/" {
			prison.Path = "/"
		}
	}
	return prison
}

// haveWorkerJail makes the jail of a worker with its empty root, or finds it: who is started anew enters the same.
func haveWorkerJail(s *plan.Worker) (jid int, err error) { return haveWorkerJailWith(s, s.Params()) }

func haveWorkerJailWith(s *plan.Worker, params []jailparam.Param) (jid int, err error) {
	if p, found, err := ours(workerPrison(s)); err != nil || found && !p.Dying {
		return p.JID, err
	}
	if err := haveWorkerRoot(s); err != nil {
		return 0, err
	}
	for _, rule := range s.Rules {
		if err := freebsdjail.AddLimit(rule); err != nil {
			return 0, fault.Wrap(fault.Host, errors.Join(err, freebsdjail.RemoveLimits("jail:"+s.Jail)), "", "limit the worker")
		}
	}
	if jid, err = freebsdjail.CreatePrison(params); err != nil {
		return 0, fault.Wrap(fault.Jail, err, "run skep on the host itself, as root; inside a jail that one needs children.max", "make the jail %s", s.Jail)
	}
	return jid, nil
}

// haveWorkerRoot mounts the empty root of a worker.
func haveWorkerRoot(s *plan.Worker) error {
	mounted, err := freebsdjail.MountedOn(s.Root)
	if err == nil && mounted == "" {
		if err = rootDir(s.Root); err != nil {
			return err
		}
		err = freebsdjail.Mount("tmpfs", s.Root, [2]string{"from", "tmpfs"}, [2]string{"size", "4096"},
			freebsdjail.Option("ro"), freebsdjail.Option("nosuid"), freebsdjail.Option("noexec"))
	}
	if err != nil {
		return fault.Wrap(fault.Jail, err, "kldload tmpfs", "make the worker's rootfs")
	}
	return nil
}

// dropWorkerJail ends whoever is in it and takes it away.
func dropWorkerJail(ctx context.Context, s *plan.Worker) error {
	if s.Jail == "" {
		return nil
	}
	if err := releasePrison(ctx, workerPrison(s)); err != nil {
		return err
	}
	if err := errors.Join(freebsdjail.RemoveLimits("jail:"+s.Jail), freebsdjail.Unmount(s.Root)); err != nil {
		return err
	}
	if err := os.Remove(s.Root); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Confinement is what a worker puts on itself.
func workerStart(s *plan.Worker, jid int) worker.Start {
	c := worker.Start{Memory: workerMemory, Confinement: freebsdjail.Confinement{
		JID: jid, UID: s.UID, GID: s.GID, Keep: 1, Capsicum: true,
		Rights: map[int]string{0: rightsNone, 1: rightsSay, 2: rightsSay, 3: rightsStream},
	}}
	for _, l := range s.Rlimits {
		c.Limits = append(c.Limits, jail.Limit{Name: l.Name, Value: l.Value})
	}
	return c
}

// beginWorker starts one, and sees from outside that its jail is complete before it has read anything. log is the
// worker's own standard error.
func beginWorker(s *plan.Worker, log *os.File) beginning {
	return func(ctx context.Context, keeper *os.File, link *worker.Link) (workerProcess, *jail.Record, error) {
		jid, err := haveWorkerJail(s)
		if err != nil {
			return nil, nil, err
		}
		args, err := workerStart(s, jid).Args()
		if err != nil {
			return nil, nil, err
		}
		proc, err := freebsdjail.StartConfined(args, nil, log, keeper)
		keeper.Close() // so that its end shows
		if err != nil {
			return nil, nil, err
		}
		if err := link.WaitReady(ctx); err != nil {
			return proc, nil, err
		}
		info, err := process.Look(proc.Pid())
		if err == nil && (info.JID != jid || int(info.UID) != s.UID || !info.Capability) {
			err = fault.New(fault.Jail, "", "trust the worker: it has jid %d, user %d and is in capability mode: %v", info.JID, info.UID, info.Capability)
		}
		record := jail.Record{Layers: freebsdjail.Evidence(proc.Pid(), jid), Sealed: err == nil, Limits: freebsdjail.Rlimits(proc.Pid())}
		return proc, &record, err
	}
}

// acquireWorker begins to start the worker: it is not waited for before there is something to read.
func (t *bsdProvisioner) acquireWorker(s *plan.Worker) error {
	t.workers = startWorkers(s, beginWorker(s, t.files["hypervisor-log"]))
	return nil
}

// releaseWorker ends the worker, whoever has started it.
func (t *bsdProvisioner) releaseWorker(ctx context.Context, s *plan.Worker, h store.Held) error {
	if t.workers != nil {
		for _, l := range plan.Specs[*plan.Log](t.plan) {
			_ = t.trim(l.Path, int64(l.Max)) // while it is there; what writes it is gone
		}
		t.workers.stop()
	} else if h.PID != 0 && process.Lives(h.PID, h.Start) {
		_ = syscall.Kill(h.PID, syscall.SIGKILL)
	}
	return dropWorkerJail(ctx, s)
}

// trim is as keepBelow says.
func (t *bsdProvisioner) trim(path string, max int64) error { return t.workers.keepBelow(path, max) }

// haveWorker waits for the worker, and writes down who it is.
func (m *bhyveMachine) haveWorker(ctx context.Context) error {
	t := m.provisioner
	if t.workers == nil {
		return errors.New("the plan has no worker")
	}
	held, err := t.workers.wait(ctx)
	if err == nil {
		err = t.env.Begun(WorkerID, held)
	}
	if err == nil {
		err = m.hand(ctx)
	}
	return err
}

// keepWorker has another one be there whenever one has died.
func (m *bhyveMachine) keepWorker() {
	t := m.provisioner
	log := t.files["console-log"]
	t.workers.keep(nil, m.hand, func(reason string) {
		line := "the worker was started again: " + reason
		if log != nil {
			_, _ = fmt.Fprintf(log, "\n[skep: %s]\n", line)
		}
		t.env.Notify(t.plan.Name + ": " + line)
	}, func(err error) { t.env.Notify(t.plan.Name + ": cannot start the worker again yet: " + err.Error()) })
}

// hand gives the worker that there is all that it reads.
func (m *bhyveMachine) hand(ctx context.Context) error {
	m.handing.Lock()
	defer m.handing.Unlock()
	w := m.provisioner.workers
	link := w.link()
	if err := m.handLog(ctx, link); err != nil {
		return err
	}
	if err := m.handConsole(ctx, link); err != nil {
		return err
	}
	w.client.Use(link)
	return nil
}

// handLog: bhyve writes to its log itself, so that what it says is kept whoever has died.
func (m *bhyveMachine) handLog(ctx context.Context, link *worker.Link) error {
	f, err := os.Open(m.words)
	if err != nil {
		return err
	}
	defer f.Close()
	return handed(func(all []*os.File) error { return link.Follow(ctx, all[0], m.from) }, with{f, rightsRead})
}

// handConsole hands over the far end of the null modem, if it is open.
func (m *bhyveMachine) handConsole(ctx context.Context, link *worker.Link) error {
	t := m.provisioner
	if m.far == nil {
		return nil
	}
	for _, l := range plan.Specs[*plan.Log](t.plan) {
		if l.Name != "console-log" {
			continue
		}
		f, end, err := console.OpenToTrim(l.Path)
		if err != nil {
			return err
		}
		defer f.Close()
		defer end.Close()
		first := t.firstClient && !m.settled.Load()
		return handed(func(all []*os.File) error {
			return link.ServeConsole(ctx, all[0], all[1], all[2], int64(l.Max), first)
		}, with{m.far, rightsStream}, with{f, rightsCut}, with{end, rightsAppend})
	}
	return errors.New("the plan has no log for the console")
}

// with is a file and what of it a worker is handed.
type with struct {
	file   *os.File
	rights string
}

// handed calls do with descriptors of the files that are good for so much and no more.
func handed(do func([]*os.File) error, files ...with) error {
	var all []*os.File
	defer func() {
		for _, f := range all {
			f.Close()
		}
	}()
	for _, w := range files {
		f, err := freebsdjail.Limited(w.file, w.rights)
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	return do(all)
}

// join hands whoever connects to the console's socket to the worker.
func (m *bhyveMachine) accept(l *listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(100 * time.Millisecond) // out of descriptors, most likely
			continue
		}
		f, err := connFile(conn)
		conn.Close()
		if err != nil {
			continue
		}
		// Whom it does not take, or who comes while there is none for long, sees the connection close.
		ctx, cancel := context.WithTimeout(context.Background(), quitWait)
		_ = handed(func(all []*os.File) error { return m.provisioner.workers.client.JoinConsole(ctx, all[0]) }, with{f, rightsStream})
		cancel()
		f.Close()
	}
}

// said is how much the guest has said, as far as the worker knows.
func (m *bhyveMachine) said(ctx context.Context) uint64 {
	n, err := m.provisioner.workers.client.ConsoleSaid(ctx)
	if err != nil {
		return 0
	}
	return n
}

// lastWords is the last that bhyve has said.
func (m *bhyveMachine) lastWords() string {
	w := m.provisioner.workers
	if w == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), quitWait)
	defer cancel()
	words, _ := w.client.Words(ctx)
	return words
}

// Worker implements Machine.
func (m *bhyveMachine) Worker() (*store.Worker, *jail.Record) {
	w := m.provisioner.workers
	if w == nil {
		return nil, nil
	}
	state := w.worker()
	w.mu.Lock()
	defer w.mu.Unlock()
	return &state, w.record
}

// WorkerChanged implements Machine.
func (m *bhyveMachine) WorkerChanged() <-chan struct{} {
	if m.provisioner.workers == nil {
		return nil
	}
	return m.provisioner.workers.change
}
