package linuxjail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
	"skep/internal/process"
)

// Start builds the jail, and returns when the hypervisor's first instruction is due. If ctx ends
// before that, or any row fails, nothing of it is left.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	cloneThread, err := newCloneThread(spec)
	if err != nil {
		return nil, err
	}
	defer cloneThread.leave()
	var filters compiled
	var wrong error
	compiling := make(chan struct{}) // beside the descriptors: together they are a third of a start
	go func() { defer close(compiling); filters, wrong = spec.compile() }()
	l, err := newLaunch(spec)
	<-compiling
	if err != nil {
		return nil, err
	}
	defer l.close()
	if wrong != nil {
		return nil, wrong
	}
	program, err := build(spec, readFacts(), l.in, filters)
	if err != nil {
		return nil, err
	}
	loaded, err := program.load(l.in.errors)
	if err != nil {
		return nil, err
	}
	p, err := l.clone(loaded, spec, cloneThread)
	if err != nil {
		return nil, err
	}
	// Killing the child ends every wait below: its ends of the descriptors close with it.
	stop := context.AfterFunc(ctx, func() { _ = p.Kill() })
	defer stop()
	p.record = record(spec, program, filters) // while the child works
	err = l.watch(p, program, spec)
	if err == nil {
		err = ctx.Err() // it may have ended just now, with the kill still on its way
	}
	if err != nil {
		p.abandon()
		if ctx.Err() != nil {
			return nil, cannotBuild("%w", ctx.Err())
		}
		return nil, err
	}
	return p, nil
}

// StartBound is Start for a hypervisor that ends with this process, whatever ends that. What the kernel looks
// at is the thread that made it, so that thread does nothing else for as long as the hypervisor lives.
func StartBound(ctx context.Context, spec Spec) (*Process, error) {
	spec.WithCaller, spec.EmptyMounts = true, nil
	type started struct {
		p   *Process
		err error
	}
	begun := make(chan started, 1)
	go onOwnThread(func() {
		p, err := Start(ctx, spec)
		begun <- started{p, err}
		if err == nil {
			<-p.done
		}
	})
	s := <-begun
	return s.p, s.err
}

// Describe is the program that Start would run, for people to read. It takes and changes nothing.
func Describe(spec Spec) (*Program, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	filters, err := spec.compile()
	if err != nil {
		return nil, err
	}
	return build(spec, readFacts(), spec.imagined(), filters)
}

func (s Spec) compile() (compiled, error) {
	arch, ok := seccomp.ArchOf(runtime.GOARCH)
	if !ok {
		return compiled{}, cannotBuild("no table of calls for %s: %w", runtime.GOARCH, errors.ErrUnsupported)
	}
	filter, err := s.Policy.Compile(arch)
	return compiled{filter}, err
}

// namespaces are the clone3(2) flags of the layers.
var namespaces = []struct {
	layer layer.ID
	flag  uint64
}{
	{layer.UserNamespace, unix.CLONE_NEWUSER},
	{layer.MountNamespace, unix.CLONE_NEWNS},
	{layer.PIDNamespace, unix.CLONE_NEWPID},
	{layer.NetworkNamespace, unix.CLONE_NEWNET},
	{layer.IPCNamespace, unix.CLONE_NEWIPC},
	{layer.UTSNamespace, unix.CLONE_NEWUTS},
	{layer.TimeNamespace, unix.CLONE_NEWTIME},
}

func (l *launch) clone(program *loaded, spec Spec, c *cloneThread) (*Process, error) {
	// The kernel writes to where it lies: pinned it lies on the heap, and not on a stack that may move
	// before the call is made.
	pidfd := new(int32)
	var pinned runtime.Pinner
	pinned.Pin(pidfd)
	defer pinned.Unpin()
	args := &cloneArgs{
		Flags:      unix.CLONE_PIDFD | unix.CLONE_CLEAR_SIGHAND,
		PidFD:      uint64(uintptr(unsafe.Pointer(pidfd))),
		ExitSignal: uint64(unix.SIGCHLD),
	}
	for _, n := range namespaces {
		if layer.On(spec.Layers, n.layer) {
			args.Flags |= n.flag
		}
	}
	if v2 := spec.Cgroups.V2; v2 != nil {
		args.Flags |= unix.CLONE_INTO_CGROUP
		args.Cgroup = uint64(v2.Fd())
	}
	var admit func(proc, pid int) error
	if spec.Identity.Mapping != jail.BySubIDs { // that one starts a program, which is no business of the cell's groups
		admit = func(proc, pid int) error { return l.admit(proc, pid, spec, nil) }
	}
	pid, admitted, err := c.fork(program, args, admit)
	runtime.KeepAlive(spec.Cgroups.V2)
	if err != nil && pid == 0 {
		return nil, explain(cloneError(err))
	}
	if err == nil && !admitted {
		// The child waits for nothing but this, so it comes first; then what needs no hurry.
		var proc int
		if proc, err = openProc(); err == nil {
			procs := spec.Cgroups.V1Procs
			if c != nil && c.joined {
				procs = nil
			}
			err = l.admit(proc, pid, spec, procs)
			unix.Close(proc)
		}
	}
	l.dropChildEnds()
	p, perr := newProcess(pid, int(*pidfd), l.began, true)
	if perr != nil {
		_ = unix.Kill(pid, unix.SIGKILL) // our child, not collected yet: the number is still its own
		return nil, cmp.Or(err, perr)    // the first of the two is the cause
	}
	if err != nil {
		p.abandon()
		return nil, err
	}
	return p, nil
}

// cloneError names the step of an errno that clone3(2) gave; other errors name theirs.
func cloneError(err error) error {
	if errno, ok := err.(unix.Errno); ok {
		return &jail.StepError{Layer: layer.UserNamespace, Step: "clone", Errno: errno}
	}
	return err
}

// watch does the keeper's part while the child works through its rows.
func (l *launch) watch(p *Process, program *Program, spec Spec) error {
	if layer.On(spec.Layers, layer.Seccomp) {
		listener, err := l.receive()
		if err == nil {
			if err = p.listen(listener, spec); err != nil {
				return err
			}
		} else if failed := l.failure(program); failed != nil {
			return failed
		} else {
			return cannotBuild("receive the seccomp listener: %w", err)
		}
	}
	return l.failure(program)
}

// admit maps the user, places the process in the cgroups that are left, and lets it go on.
func (l *launch) admit(proc, pid int, spec Spec, procs []string) (err error) {
	// While it has this user: where /proc shows nobody the processes of others (hidepid), a child that has
	// changed its user and not yet executed its program is not even there.
	if l.began, err = process.StartTimeAt(proc, pid); err != nil {
		return cannotBuild("%w", err)
	}
	if layer.On(spec.Layers, layer.UserNamespace) {
		if err := mapIDs(proc, pid, spec.Identity); err != nil {
			return err
		}
	}
	for _, file := range procs {
		if err := os.WriteFile(file, fmt.Append(nil, pid), 0); err != nil {
			return cannotBuild("place it in its cgroup: %w", err)
		}
	}
	if layer.On(spec.Layers, layer.OOMScore) {
		if err := tell(proc, pid, "oom_score_adj", strconv.Itoa(spec.OOMScoreAdj)); err != nil {
			return cannotBuild("set its oom score: %w", err)
		}
	}
	if _, err := unix.Write(l.sync, []byte{1}); err != nil {
		return cannotBuild("release the child: %w", err)
	}
	return nil
}

// tell writes to a file of /proc/PID.
func tell(proc, pid int, file, text string) error {
	path := strconv.Itoa(pid) + "/" + file
	fd, err := unix.Openat(proc, path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /proc/%s: %w", path, err)
	}
	defer unix.Close(fd)
	if n, err := unix.Write(fd, []byte(text)); err != nil || n != len(text) {
		return fmt.Errorf("write %q to /proc/%s: %w", text, path, cmp.Or(err, io.ErrShortWrite))
	}
	return nil
}
