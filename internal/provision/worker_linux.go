package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/console"
	"skep/internal/elf"
	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
	"skep/internal/plan"
	"skep/internal/store"
	"skep/internal/unixsock"
	"skep/internal/worker"
)

// workerPause is how long it takes until a worker that has died is started again, workerPauses the most that
// this grows to where one dies after the other, and workerCalm how long one has to live for that to begin anew.
const (
	workerPause  = 50 * time.Millisecond
	workerPauses = 30 * time.Second
	workerCalm   = time.Minute
)

// aWorker is one process.
type aWorker struct {
	proc  *linuxjail.Process
	link  *worker.Link
	began time.Time
}

// workers has one be there for as long as the hypervisor is.
type workers struct {
	spec   *plan.Worker
	layers []layer.Decision
	client *worker.Client
	log    *os.File // the worker's own standard error
	cancel context.CancelFunc
	ctx    context.Context
	first  chan struct{} // closed when the first is there, or cannot be
	err    error         // why it cannot; valid once first is closed
	change chan struct{} // another one is there; holds one

	mu     sync.Mutex
	now    *aWorker
	state  store.Worker
	record *jail.Record
	ended  chan struct{} // closed when nobody starts another any more; nil where nobody does
}

// startWorkers begins to start the first. What comes of it is known by wait.
func startWorkers(s *plan.Worker, layers []layer.Decision, log *os.File) *workers {
	w := &workers{spec: s, layers: layers, client: worker.NewClient(), log: log, first: make(chan struct{}), change: make(chan struct{}, 1)}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(w.first)
		w.err = w.start()
	}()
	return w
}

// wait returns when the first worker is there.
func (w *workers) wait(ctx context.Context) (store.Held, error) {
	select {
	case <-w.first:
	case <-ctx.Done():
		return store.Held{}, ctx.Err()
	}
	if w.err != nil {
		return store.Held{}, w.err
	}
	st := w.worker()
	return store.Held{PID: st.PID, Start: st.Start}, nil
}

// worker is who it is now.
func (w *workers) worker() store.Worker {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// workerLayers are those of the cell's jail. What is for the control group is not for a worker, which is
// limited as a process.
func workerLayers(cell []layer.Decision) []layer.Decision {
	all := slices.Clone(cell)
	for i, d := range all {
		switch d.ID {
		case layer.CgroupMemory, layer.CgroupPids, layer.CgroupCPU:
			all[i] = layer.Decision{ID: d.ID, Verdict: layer.NothingToApply, Detail: "a worker is limited as a process"}
		}
	}
	return all
}

// ownProgram is every file that this program needs to start.
var ownProgram = sync.OnceValues(func() ([]elf.File, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	conf, _ := elf.LdConf(os.DirFS("/"), "/etc/ld.so.conf")
	return elf.Closure(elf.Search{Configured: conf}, program)
})

// workerSpec is the jail of a worker, and keeper its socket.
func workerSpec(s *plan.Worker, layers []layer.Decision, keeper, log *os.File) (linuxjail.Spec, error) {
	files, err := ownProgram()
	if err != nil {
		return linuxjail.Spec{}, err
	}
	spec := linuxjail.Spec{
		Hostname: "worker", OOMScoreAdj: 600, Layers: workerLayers(layers),
		Identity: linuxjail.Identity{UID: s.UID, GID: s.GID, Mapping: mappings[s.Identity]},
		Path:     jail.RootfsPath(files[0].Inside), Argv: []string{"skep", worker.Argument},
		FDs: []jail.FD{{Name: "keeper", File: keeper}}, Stderr: log,
		EmptyMounts: emptyMounts(), Policy: seccomp.GoWorker(),
	}
	if len(files) > 1 {
		spec.Policy = seccomp.GoWorker(seccomp.Cgo)
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

// start starts one, and completes its jail before it has read anything.
func (w *workers) start() error {
	ours, theirs, err := worker.Pair()
	if err != nil {
		return err
	}
	link, err := worker.NewLink(ours, w.client.Heard)
	if err != nil {
		theirs.Close()
		return err
	}
	spec, err := workerSpec(w.spec, w.layers, theirs, w.log)
	if err != nil {
		theirs.Close()
		link.Close()
		return err
	}
	proc, err := linuxjail.Start(w.ctx, spec)
	theirs.Close() // so that its end shows
	if err != nil {
		link.Close()
		return jailFault(err)
	}
	one := &aWorker{proc: proc, link: link, began: time.Now()}
	if err = link.WaitReady(w.ctx); err == nil {
		err = proc.Seal()
	}
	if err == nil && layer.On(spec.Layers, layer.EmptyRootfs) {
		err = proc.Empty(w.ctx)
	}
	if err != nil {
		one.end()
		return fmt.Errorf("start the worker: %w", err)
	}
	record := proc.Record()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.record = one, &record
	w.state.PID, w.state.Start, w.state.UID, w.state.GID = proc.Pid(), proc.StartTime(), w.spec.UID, w.spec.GID
	return nil
}

// end ends a worker and waits for it.
func (a *aWorker) end() {
	a.link.Close()
	_ = a.proc.Kill()
	_, _ = a.proc.Wait(context.Background())
	_ = a.proc.Release()
}

// hand has the worker that there is speak with the hypervisor.
func (w *workers) hand(ctx context.Context, qmp string, words *lastWords) error {
	w.mu.Lock()
	link := w.now.link
	w.mu.Unlock()
	if words != nil {
		// Also of a hypervisor that has ended, by which ctx ends as well.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), quitWait)
		defer cancel()
		if err := link.Listen(ctx, words.r, words.log, words.max); err != nil {
			return err
		}
	}
	w.client.Use(link)
	conn, err := unixsock.Dial(qmp)
	if err != nil {
		return err
	}
	f, err := conn.File()
	conn.Close()
	if err != nil {
		return err
	}
	defer f.Close()
	return link.Connect(ctx, f)
}

// keep starts another worker when one has ended, until exited. told is called with each, and failed once where the
// first try does not succeed.
func (w *workers) keep(exited <-chan struct{}, hand func(context.Context) error, told func(reason string), failed func(error)) {
	ended := make(chan struct{})
	w.mu.Lock()
	w.ended = ended
	w.mu.Unlock()
	go func() {
		defer close(ended)
		pause := workerPause
		for {
			w.mu.Lock()
			one := w.now
			w.mu.Unlock()
			select {
			case <-one.link.Done():
			case <-exited:
				return
			case <-w.ctx.Done():
				return
			}
			w.client.Use(nil)
			reason := one.reason()
			if time.Since(one.began) > workerCalm {
				pause = workerPause
			}
			for tries := 0; ; tries++ {
				select {
				case <-time.After(pause):
				case <-exited:
					return
				case <-w.ctx.Done():
					return
				}
				pause = min(2*pause, workerPauses)
				err := w.again(hand)
				if err == nil {
					break
				}
				if tries == 0 {
					failed(err)
				}
			}
			w.mu.Lock()
			w.state.Restarts++
			w.state.Reason = reason
			w.mu.Unlock()
			told(reason)
			select {
			case w.change <- struct{}{}:
			default:
			}
		}
	}()
}

// again starts another one and has it speak with the hypervisor.
func (w *workers) again(hand func(context.Context) error) error {
	if err := w.start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(w.ctx, quitWait)
	defer cancel()
	err := hand(ctx)
	if err != nil {
		w.client.Use(nil)
		w.now.end()
	}
	return err
}

// reason ends a worker whose link has ended, and says how that came.
func (a *aWorker) reason() string {
	why := a.link.Err()
	_ = a.proc.Kill()
	exit, _ := a.proc.Wait(context.Background())
	_ = a.proc.Release()
	switch {
	case errors.Is(why, worker.ErrLied), errors.Is(why, worker.ErrOther):
		return why.Error()
	case exit.Signal != 0:
		return "it was ended by " + unix.SignalName(unix.Signal(exit.Signal))
	}
	return fmt.Sprintf("it ended with status %d", exit.Code)
}

// letGo: the hypervisor is let go of, and nobody is started any more.
func (w *workers) letGo() {
	w.client.Close()
	w.cancel()
	w.mu.Lock()
	ended := w.ended
	w.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// stop ends the worker.
func (w *workers) stop() {
	w.letGo()
	<-w.first
	w.mu.Lock()
	one := w.now
	w.now = nil
	w.mu.Unlock()
	if one != nil {
		one.end()
	}
}

// trim has a log brought below its size by the worker, as it has to be read for that. While there is none a log
// may grow to four times its size; then all of it goes, unread.
func (t *linuxProvisioner) trim(path string, max int64) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() <= max {
		return err
	}
	err = errNoWorker
	if t.workers != nil {
		err = t.workers.trim(path, max)
	}
	if err == nil || info.Size() <= 4*max {
		return nil
	}
	if err := os.Truncate(path, 0); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "[skep: %d bytes of log cut here]\n", info.Size())
	return err
}

var errNoWorker = errors.New("there is no worker")

// trim asks the worker that there is.
func (w *workers) trim(path string, max int64) error {
	w.mu.Lock()
	one := w.now
	w.mu.Unlock()
	if one == nil {
		return errNoWorker
	}
	f, end, err := console.OpenToTrim(path)
	if err != nil {
		return err
	}
	defer f.Close()
	defer end.Close()
	ctx, cancel := context.WithTimeout(context.Background(), quitWait)
	defer cancel()
	return one.link.Trim(ctx, f, end, max)
}

// acquireWorker begins to start the worker: it is not waited for before there is a hypervisor to speak with.
func (t *linuxProvisioner) acquireWorker(s *plan.Worker) error {
	t.workers = startWorkers(s, t.plan.Layers, t.files["hypervisor-log"])
	return nil
}

// releaseWorker ends the worker, whoever has started it.
func (t *linuxProvisioner) releaseWorker(ctx context.Context, h store.Held) error {
	if t.workers != nil {
		for _, l := range plan.Specs[*plan.Log](t.plan) {
			_ = t.trim(l.Path, int64(l.Max)) // while it is there; what writes it is gone
		}
		t.workers.stop()
		return nil
	}
	return t.endProcess(ctx, h)
}

// planWorker is the plan's; a cell that an older skep has started has none there, and gets one with its own number.
func planWorker(p *plan.Plan) *plan.Worker {
	for _, w := range plan.Specs[*plan.Worker](p) {
		return w
	}
	for _, j := range plan.Specs[*plan.Jail](p) {
		return &plan.Worker{Identity: j.Identity, UID: j.UID, GID: j.GID}
	}
	return &plan.Worker{}
}

// memory is a file without a name that nobody but who has its descriptor can reach.
func memory(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "make a file in memory")
	}
	return os.NewFile(uintptr(fd), name), nil
}
