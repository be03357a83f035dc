package linuxjail

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/layer"
	"skep/internal/process"
)

// A cloneThread is a thread that has put itself into a cell's v1 groups and into an empty mount namespace, so that the child
// is born in them. It is made while the program is still being written, forks once and ends, and
// takes its memberships with it.
//
// To move a process from outside into a v1 group, the kernel waits for a grace period of its own each
// time, some milliseconds; a thread that moves itself waits for nothing (kernel/cgroup/cgroup.c,
// cgroup_procs_write_start).
//
// A network namespace is dear to make, a quarter of a millisecond. So the thread makes it beside the
// other work, and the child inherits it: one that belongs to the host's user namespace, so that the
// child has no rights over it at all, and that is the child's alone once the thread has ended.
//
// It also admits the child. The keeper's other threads have just lost their writable pages to the fork
// and take them back one by one, and they have to be woken first: that is half a millisecond in which
// the child would wait.
//
// The two sides wait for each other in read(2) of a socket pair: by channels a goroutine that is bound
// to its thread takes the runtime several wake-ups each way.
type cloneThread struct {
	ours, its int    // the ends of the pair
	spaces    uint64 // clone3(2) flags of the namespaces that the thread makes
	program   *loaded
	args      *cloneArgs
	admit     func(proc, pid int) error

	// Valid once it has answered or ended.
	pid      int
	joined   bool // the groups; where it could not, the child is moved as usual
	admitted bool // or the child waits for that
	err      error
	ended    chan struct{}

	id int // the thread's; 0 where it could not even begin
}

// newCloneThread returns nil if no dedicated thread is needed. The caller leaves one that it does not use.
func newCloneThread(spec Spec) (*cloneThread, error) {
	procs, empty := spec.Cgroups.V1Procs, spec.cloneFrom()
	if spec.WithCaller || len(procs) == 0 && empty == nil {
		return nil, nil // the thread would end, and the program with it
	}
	var spaces uint64
	if empty != nil && layer.On(spec.Layers, layer.NetworkNamespace) {
		spaces = unix.CLONE_NEWNET
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, cannotBuild("socketpair: %w", err)
	}
	c := &cloneThread{ours: pair[0], its: pair[1], spaces: spaces, ended: make(chan struct{})}
	go onOwnThread(func() {
		defer close(c.ended)
		c.wait(procs, empty)
	})
	return c, nil
}

// wait is what the thread does.
func (c *cloneThread) wait(procs []string, empty *EmptyMounts) {
	defer unix.Close(c.its)
	c.id = unix.Gettid()
	c.joined = true
	for _, f := range procs {
		if os.WriteFile(filepath.Join(filepath.Dir(f), "tasks"), []byte("0"), 0) != nil {
			c.joined = false
			break
		}
	}
	proc, perr := openProc()
	if perr == nil {
		defer unix.Close(proc)
	}
	if empty != nil {
		// From here on no path of the host's works; or the child is born among its mounts after all, as
		// where the caller may not change its root (CAP_SYS_CHROOT): the jail is the same one.
		_ = empty.enter()
	}
	if c.spaces != 0 {
		if err := unix.Unshare(int(c.spaces)); err != nil {
			c.err = &jail.StepError{Layer: layer.NetworkNamespace, Step: "unshare", Errno: errnoOf(err)}
		}
	}
	if !hear(c.its) {
		return // left
	}
	if c.err == nil {
		c.pid, c.err = c.program.fork(c.args)
	}
	if c.err == nil && c.joined && c.admit != nil {
		c.admitted = true
		if c.err = perr; perr == nil {
			c.err = c.admit(proc, c.pid)
		}
	}
	_, _ = unix.Write(c.its, []byte{1}) // nobody else has the other end, and that one reads
}

// fork starts the child. The thread has it admitted if admit is not nil and nothing but that is left
// to do for it; admitted says so, and then err is that of admit. There may be a child together with an
// error: one with a pid.
func (c *cloneThread) fork(p *loaded, args *cloneArgs, admit func(proc, pid int) error) (pid int, admitted bool, err error) {
	if c == nil {
		pid, err = p.fork(args)
		return pid, false, err
	}
	args.Flags &^= c.spaces
	c.program, c.args, c.admit = p, args, admit
	if _, err := unix.Write(c.ours, []byte{1}); err != nil {
		return 0, false, cannotBuild("%w", err)
	}
	if !hear(c.ours) {
		return 0, false, cannotBuild("its thread has ended: %w", unix.EPIPE)
	}
	return c.pid, c.admitted, c.err
}

// openProc opens /proc, so that it can be used where no path leads to it.
func openProc() (int, error) {
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, cannotBuild("open /proc: %w", err)
	}
	// By the child's number in it another process would be mapped, moved and told things.
	if err := process.OwnProc(fd); err != nil {
		unix.Close(fd)
		return -1, cannotBuild("%w", err)
	}
	return fd, nil
}

// leave waits for the thread's end, or its groups could not be removed yet. It has ended when the kernel
// says so: its goroutine is done a moment before that.
func (c *cloneThread) leave() {
	if c == nil {
		return
	}
	unix.Close(c.ours)
	<-c.ended
	for wait := 10 * time.Microsecond; wait < time.Second && unix.Tgkill(os.Getpid(), c.id, 0) == nil; wait *= 2 {
		time.Sleep(wait)
	}
}

// errnoOf is what a call gave.
func errnoOf(err error) unix.Errno {
	errno, _ := err.(unix.Errno)
	return errno
}

// hear waits for a byte; false is the end.
func hear(fd int) bool {
	var b [1]byte
	for {
		n, err := unix.Read(fd, b[:])
		if err != unix.EINTR {
			return err == nil && n == 1
		}
	}
}
