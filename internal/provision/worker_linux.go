package provision

import (
	"context"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"skep/internal/companion"
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

// ownProgram is every file that a worker's program needs to start: the small one's where it is installed.
var ownProgram = sync.OnceValues(func() ([]elf.File, error) {
	program := companion.Program()
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
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

// beginWorker starts one, and completes its jail before it has read anything. log is the worker's own standard error.
func beginWorker(s *plan.Worker, layers []layer.Decision, log *os.File) beginning {
	return func(ctx context.Context, keeper *os.File, link *worker.Link) (workerProcess, *jail.Record, error) {
		spec, err := workerSpec(s, layers, keeper, log)
		if err != nil {
			return nil, nil, err
		}
		proc, err := linuxjail.Start(ctx, spec)
		keeper.Close() // so that its end shows
		if err != nil {
			return nil, nil, jailFault(err)
		}
		if err = link.WaitReady(ctx); err == nil {
			err = proc.Seal()
		}
		if err == nil && layer.On(spec.Layers, layer.EmptyRootfs) {
			err = proc.Empty(ctx)
		}
		record := proc.Record()
		return proc, &record, err
	}
}

// hand has the worker that there is speak with the hypervisor.
func (w *workers) hand(ctx context.Context, qmp string, words *lastWords) error {
	link := w.link()
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

// trim is as keepBelow says.
func (t *linuxProvisioner) trim(path string, max int64) error { return t.workers.keepBelow(path, max) }

// acquireWorker has the worker be started once the hypervisor is: the two would take the processors from each
// other until both are there, and the hypervisor takes longer to be greeted than a worker to be ready.
func (t *linuxProvisioner) acquireWorker(s *plan.Worker) error {
	begin := beginWorker(s, t.plan.Layers, t.files["hypervisor-log"])
	t.workers = startWorkers(s, func(ctx context.Context, keeper *os.File, link *worker.Link) (workerProcess, *jail.Record, error) {
		select {
		case <-t.executed:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		return begin(ctx, keeper, link)
	})
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
