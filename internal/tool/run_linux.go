package tool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/elf"
	"skep/internal/host"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
)

// inJail: the name is answered by the listener, and leads nowhere.
func inJail(name string) string { return "/handed/" + name }

// noGroup are the layers that a tool does without: its limits are those of the process.
var noGroup = []layer.ID{layer.CgroupMemory, layer.CgroupPids, layer.CgroupCPU}

// specOf is the jail of a job.
func specOf(f host.Facts, j Job, null *os.File) (linuxjail.Spec, error) {
	if f.Linux == nil {
		return linuxjail.Spec{}, errors.New("these are not the facts of a Linux host")
	}
	probes := map[layer.ID]layer.Probe{}
	for id, p := range f.Linux.Layers {
		probes[id] = p
	}
	for _, id := range noGroup {
		probes[id] = layer.Probe{State: layer.Moot, Detail: "a tool is limited as a process"}
	}
	layers, err := layer.Decide(probes, j.AllowMissing)
	if err != nil {
		return linuxjail.Spec{}, jailed(err, "skep doctor shows which layers this host has", j.Tool)
	}
	who := host.ToolIdentity(f)
	for tries := 0; j.service && who.Mapping != host.MappingOwn && tries < 16 && uidInUse(who.UID); tries++ {
		who = host.ToolIdentity(f)
	}
	spec := linuxjail.Spec{
		Hostname: "tool", OOMScoreAdj: 800, WithCaller: true, Layers: layers,
		Identity: linuxjail.Identity{UID: who.UID, GID: who.GID, Mapping: map[string]jail.Mapping{
			host.MappingRoot: jail.ByRoot, host.MappingSubUID: jail.BySubIDs, host.MappingOwn: jail.ByOwn}[who.Mapping]},
		Limits: j.limits(),
	}
	program := j.Tool.path
	if j.Tool.reader != "" {
		if program = ReaderProgram; program == "" {
			if program, err = os.Executable(); err != nil {
				return spec, err
			}
		}
		spec.Argv = []string{"skep", readerName}
	} else {
		spec.Policy, spec.Argv = seccomp.QEMUImg(), append([]string{program}, j.Args...)
		for _, f := range j.Files {
			spec.Handed = append(spec.Handed, linuxjail.Handed{Name: jail.RootfsPath(inJail(f.Name)), File: f.File})
		}
		// QEMU tries its locks on it first (util/osdep.c, qemu_probe_lock_ops).
		spec.Handed = append(spec.Handed, linuxjail.Handed{Name: os.DevNull, File: null})
	}
	conf, _ := elf.LdConf(os.DirFS("/"), "/etc/ld.so.conf")
	files, err := elf.Closure(elf.Search{Configured: conf}, program)
	if err != nil {
		return spec, fmt.Errorf("find what %s needs: %w", program, err)
	}
	if j.Tool.reader != "" {
		var needs []seccomp.Need
		if len(files) > 1 {
			needs = append(needs, seccomp.Cgo)
		}
		if j.Connections > 0 || j.Receives {
			needs = append(needs, seccomp.Sockets)
		}
		spec.Policy = seccomp.GoProgram(needs...)
		if j.Receives {
			spec.Policy = spec.Policy.Mute(firstFile)
		}
	}
	spec.Policy.Rows = slices.DeleteFunc(slices.Clone(spec.Policy.Rows), func(r seccomp.Row) bool { return r.Call == j.without })
	spec.Path = jail.RootfsPath(files[0].Inside)
	for _, f := range files {
		spec.Root.Files = append(spec.Root.Files, linuxjail.File{Inside: jail.RootfsPath(f.Inside), Host: jail.HostPath(f.Host), Exec: true})
	}
	spec.Root.Size = 64 << 10
	return spec, nil
}

// Jail is the jail of a job, for who puts an attacker into it.
func Jail(f host.Facts, j Job) (linuxjail.Spec, error) {
	j.Limits = j.Limits.filled(j.Files)
	return specOf(f, j, nil)
}

// limits are those of the process. Data is all memory of its own that it can write: the policies of tools
// let nobody map shared memory.
func (j Job) limits() []jail.Limit {
	l := j.Limits
	threads := 72 // QEMU's pool has 64
	if j.Tool.reader != "" {
		threads = 32 + 2*runtime.NumCPU()
	}
	return []jail.Limit{
		{Name: "nproc", Value: uint64(threads)},
		{Name: "data", Value: uint64(l.Memory)}, {Name: "cpu", Value: j.seconds()},
		{Name: "fsize", Value: uint64(l.FileSize)}, {Name: "nofile", Value: uint64(j.descriptors())},
		{Name: "memlock", Value: 0}, {Name: "msgqueue", Value: 0}, {Name: "locks", Value: 64}, {Name: "sigpending", Value: 64},
	}
}

func run(ctx context.Context, f host.Facts, j Job) (out Output, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return out, err
	}
	defer null.Close()
	spec, err := specOf(f, j, null)
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s, err := newStreams(j, cancel)
	if err != nil {
		return out, err
	}
	spec.Stdout, spec.Stderr = s.out, s.err
	var ours *net.UnixConn
	if j.Tool.reader != "" {
		var theirs *os.File
		if ours, theirs, err = controlPair(); err == nil {
			defer ours.Close()
			defer theirs.Close()
			spec.FDs = append(spec.FDs, jail.FD{Name: "control", File: theirs})
			for _, f := range j.Files {
				spec.FDs = append(spec.FDs, jail.FD{Name: f.Name, File: f.File})
			}
		}
	}
	if err == nil {
		err = onOneThread(func() error { return spend(ctx, j, spec, s, ours, &out) })
	} else {
		s.started()
	}
	err = errors.Join(err, s.wait())
	out.Bytes, out.Words, out.UID = s.bytes.Bytes(), s.words.words(), spec.Identity.UID
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = cause
	}
	return out, err
}

// spend is the life of the tool, on one thread, with whose end the tool would end.
func spend(ctx context.Context, j Job, spec linuxjail.Spec, s *streams, ours *net.UnixConn, out *Output) error {
	p, err := linuxjail.Start(ctx, spec)
	s.started()
	for _, fd := range spec.FDs[:min(1, len(spec.FDs))] {
		fd.File.Close() // so that the end of the reader shows
	}
	if err != nil {
		if errors.Is(err, linuxjail.ErrUserNamespacesRestricted) {
			return jailed(err, linuxjail.HintUserNamespaces, j.Tool)
		}
		return jailed(errors.New(strings.TrimPrefix(err.Error(), "cannot ")), "skep doctor shows which layers this host has", j.Tool)
	}
	defer func() { _ = p.Release() }()
	if j.started != nil {
		j.started(p.Pid(), p.StartTime())
	}
	stop := context.AfterFunc(ctx, func() { _ = p.Kill() })
	defer stop()
	gone := false
	if ours != nil {
		err = converse(ours, j, func() error {
			err := p.Seal()
			if err == nil && layer.On(spec.Layers, layer.EmptyRootfs) {
				err = p.Empty(ctx)
			}
			if err == nil && j.complete != nil {
				record := p.Record()
				j.complete(spec.Identity.UID, spec.Identity.GID, &record)
			}
			return err
		})
		select {
		case <-p.Done():
		case <-time.After(50 * time.Millisecond):
			gone = err != nil // by us
			if gone {
				_ = p.Kill()
			}
		}
	}
	exit, werr := p.Wait(context.Background()) // ended by its own will, or killed when ctx ends
	out.Exit, out.Refused = exit.Code, p.Refusals().Run
	switch {
	case exit.Signal == int(unix.SIGKILL) && ctx.Err() == nil && !gone:
		// The kernel's doing: nobody else kills it.
		return fmt.Errorf("%w: it used more than %s of the processor, or the host ran out of memory", ErrBound, j.Limits.CPU)
	case err != nil:
		return err
	case exit.Signal != 0:
		return fmt.Errorf("%w: %s", ErrFailed, unix.SignalName(unix.Signal(exit.Signal)))
	case exit.Code != 0:
		return fmt.Errorf("%w: status %d", ErrFailed, exit.Code)
	}
	return werr
}

// onOneThread runs f on a thread that it has to itself.
func onOneThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		done <- f()
	}()
	return <-done
}

// controlPair is a socket pair: the caller's end, and a reader's.
func controlPair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "reader"), os.NewFile(uintptr(fds[1]), "control")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}

// confine: the launcher has done all that is to be done.
func confine([]string) error { return nil }

// uidInUse says whether a process of this host has that user. A service lives as long as its cell, and two of
// them would meet sooner or later.
func uidInUse(uid int) bool {
	word := fmt.Sprintf("Uid:\t%d\t", uid)
	list, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, path := range list {
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), word) {
			return true
		}
	}
	return false
}
