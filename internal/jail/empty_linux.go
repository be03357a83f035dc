package jail

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"skep/internal/layer"
)

// An emptier is the child that will empty the room. It has joined the hypervisor's user and mount
// namespaces, has an empty root in its hands and waits for the word.
type emptier struct {
	launch  *launch
	program *Program
	pid     int
	mu      sync.Mutex    // for pidfd
	pidfd   int           // -1 once it has ended
	ended   chan struct{} // closed when it has ended and status is known
	status  unix.WaitStatus
	once    sync.Once
}

// PrepareEmpty begins beside other work what Empty needs, so that only the last steps are left when
// the hypervisor has been prepared. Release lets go of it if it was not needed.
func (p *Process) PrepareEmpty() {
	ready := make(chan struct{})
	p.emptying.Lock()
	defer p.emptying.Unlock()
	if p.prepared != nil {
		return
	}
	p.prepared = ready
	go func() {
		defer close(ready)
		p.emptier, p.unprepared = p.newEmptier()
	}()
}

// Empty takes everything out of the room: what a prepared hypervisor has mapped and opened it
// keeps, and it can reach nothing more. One mount is left, an empty tmpfs on which nothing can be
// written, executed or be a device. The child that has done it may still be about to end: Settle waits
// for that.
func (p *Process) Empty(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.PrepareEmpty()
	<-p.prepared
	if p.unprepared != nil {
		return p.unprepared
	}
	// Killing it ends the wait for it: its end of the socket closes.
	stop := context.AfterFunc(ctx, p.emptier.kill)
	defer stop()
	return p.emptier.empty()
}

// Settle sees to it that no process of the keeper's is in the hypervisor's namespaces any more: one that
// has emptied the room has nothing left to do, and one that has not is not wanted.
func (p *Process) Settle() {
	p.emptying.Lock()
	prepared := p.prepared
	p.emptying.Unlock()
	if prepared == nil {
		return
	}
	<-prepared
	if p.emptier != nil {
		p.emptier.dismiss()
		p.emptier.kill()
		<-p.emptier.ended
	}
}

// newEmptier starts the child.
func (p *Process) newEmptier() (*emptier, error) {
	var pair, pipe [2]int
	var err error
	if pair, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("cannot empty the room: socketpair: %w", err)
	}
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		unix.Close(pair[0])
		unix.Close(pair[1])
		return nil, fmt.Errorf("cannot empty the room: pipe: %w", err)
	}
	e := &emptier{ended: make(chan struct{}), launch: &launch{sync: pair[0], reports: pipe[0], childs: []int{pair[1], pipe[1]}}}
	r := p.Record()
	err = p.control(func(pidfd int) error {
		e.program = emptying(r, pidfd, pair[1], pipe[1])
		loaded, err := e.program.load(pipe[1])
		if err != nil {
			return err
		}
		if e.pid, err = loaded.fork(&cloneArgs{Flags: unix.CLONE_CLEAR_SIGHAND, ExitSignal: uint64(unix.SIGCHLD)}); err != nil {
			return fmt.Errorf("clone: %w", err)
		}
		return nil
	})
	if err != nil {
		e.launch.close()
		return nil, fmt.Errorf("cannot empty the room: %w", err)
	}
	e.launch.dropChildEnds()
	// Nobody has waited for it yet, so the number is its own.
	if e.pidfd, err = unix.PidfdOpen(e.pid, 0); err != nil {
		_ = unix.Kill(e.pid, unix.SIGKILL)
	}
	go func() {
		defer close(e.ended)
		for {
			if _, err := unix.Wait4(e.pid, &e.status, 0, nil); err != unix.EINTR {
				break
			}
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		unix.Close(e.pidfd)
		e.pidfd = -1
	}()
	if err != nil {
		<-e.ended
		e.dismiss()
		return nil, fmt.Errorf("cannot empty the room: pidfd_open: %w", err)
	}
	return e, nil
}

// kill ends it wherever it is.
func (e *emptier) kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = unix.PidfdSendSignal(e.pidfd, unix.SIGKILL, nil, 0)
}

// empty gives the word and waits until it is done.
func (e *emptier) empty() error {
	defer e.dismiss()
	_, err := unix.Write(e.launch.sync, []byte{1})
	if err == nil && hear(e.launch.sync) {
		return nil
	}
	// The program has no row that waits for anyone else, so it ends by itself.
	failed := e.launch.failure(e.program)
	<-e.ended
	if failed == nil {
		failed = fmt.Errorf("the child ended with status %#x", e.status)
	}
	return fmt.Errorf("cannot empty the room: %w", failed)
}

// dismiss lets it end: one that still waits hears that there is nobody any more.
func (e *emptier) dismiss() {
	e.once.Do(func() {
		e.launch.close()
		e.launch.sync, e.launch.reports = -1, -1 // the numbers are somebody else's now
	})
}

// emptying writes the program for a child that joins the hypervisor's user and mount namespaces.
//
// pivot_root(2) gives the new root to every process of the namespace whose root is the old one, so
// the hypervisor stands in an empty room without having moved; then the old one goes with all that
// is mounted in it, in one step. Each step would wait for a grace period of the kernel's, so file
// by file it would take fifty.
func emptying(r Record, pidfd, sync, errors int) *Program {
	b := &builder{spec: Spec{Layers: r.Layers}}
	spaces := []bit{{"CLONE_NEWNS", unix.CLONE_NEWNS}}
	if b.on(layer.UserNamespace) {
		spaces = append([]bit{{"CLONE_NEWUSER", unix.CLONE_NEWUSER}}, spaces...)
	}
	config := func(name, key, value, why string) Step {
		return step("", name, sysFsconfig, why, from("empty-root"),
			named("FSCONFIG_SET_STRING", unix.FSCONFIG_SET_STRING), str(key), str(value), number(0))
	}
	// It waits with nothing of the keeper's: a copy of the listener would keep the start phase open, one
	// of a pipe's end its reader.
	type role struct {
		name string
		fd   int
	}
	kept := []role{{"hypervisor", pidfd}, {"sync", sync}, {"errors", errors}}
	slices.SortFunc(kept, func(a, b role) int { return cmp.Compare(a.fd, b.fd) })
	first := 0
	for _, k := range kept {
		if first < k.fd {
			b.rows(step("", "close-below-"+k.name, sysCloseRange, "but what it needs", number(first), descriptor(k.name+"-1", k.fd-1), number(0)))
		}
		first = k.fd + 1
	}
	b.rows(
		step("", "close-above", sysCloseRange, "but what it needs", number(first), named("~0U", math.MaxUint32), number(0)),
		step("", "join", sysSetns, "with the rights to change its mounts and none on the host",
			descriptor("hypervisor", pidfd), flags(spaces...)),
		step("", "empty-root", sysFsopen, "a root with nothing in it", str("tmpfs"), flags(bit{"FSOPEN_CLOEXEC", unix.FSOPEN_CLOEXEC})),
		config("bound-root", "size", "4096", "nothing goes in"),
		config("bound-root-entries", "nr_inodes", "1", "but the root itself"),
		config("root-mode", "mode", strconv.FormatInt(dirMode, 8), "to be read and searched"),
		step("", "create-root", sysFsconfig, "", from("empty-root"), named("FSCONFIG_CMD_CREATE", unix.FSCONFIG_CMD_CREATE), null(), null(), number(0)),
		step("", "mount-root", sysFsmount, "no writes, no devices, no execution, for good", from("empty-root"),
			flags(mountClose), flags(rdonly, nodev, nosuid, noexec)),
		step("", "wait-for-keeper", sysRead, "until the hypervisor is prepared, or the keeper is gone",
			descriptor("sync", sync), mem("&byte", new([8]byte)), number(1)).returning(1, ""),
		step("", "place-root", sysMoveMount, "on top of the room", from("mount-root"), emptyPath, cwd, str("/"), moveFlags),
		step("", "enter-root", sysFchdir, "", from("mount-root")),
		step("", "pivot", sysPivotRoot, "for this child and for the hypervisor", str("."), str(".")),
		step("", "drop-room", sysUmount, "mapped and open pages stay, every name goes", str("."), flags(bit{"MNT_DETACH", unix.MNT_DETACH})),
		step("", "tell-keeper", sysWrite, "it is done", descriptor("sync", sync), mem("&byte", new([8]byte)), number(1)).returning(1, ""),
	)
	return &b.Program
}
