package linuxjail

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"skep/internal/jail/seccomp"
	"skep/internal/layer"
)

// The structs of seccomp_unotify(2).
type (
	notification struct {
		id    uint64
		pid   uint32
		flags uint32
		nr    int32
		arch  uint32
		ip    uint64
		args  [6]uint64
	}
	answer struct {
		id    uint64
		val   int64
		error int32
		flags uint32
	}
)

// seccompSetFlags is SECCOMP_IOCTL_NOTIF_SET_FLAGS, which x/sys has not got.
const seccompSetFlags = 0x40082104

// A listener answers for the keeper about each call that the filter does not know: in the start by
// the table of never, afterwards always no. It runs in one goroutine.
type listener struct {
	fd, wake int // wake is an eventfd that says: sealed, or let go
	pid      uint32
	policy   seccomp.Policy
	arch     seccomp.Arch
	oneExec  bool // no exec but the first
	began    bool // the one exec has been granted

	once   sync.Once
	sealed chan struct{} // closed when no yes is left
	letGo  sync.Once
	leave  atomic.Bool
	done   chan struct{}
	counts refusals
	handing
	// looks: it may look at the files that it has open meanwhile; growing is how large one of them has become, or 0.
	looks   atomic.Bool
	growing atomic.Int64
}

func (p *Process) listen(fd int, spec Spec) error {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return cannotBuild("eventfd: %w", err)
	}
	// Where the kernel can, it lets the two sides take turns on one processor. It is only faster.
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), seccompSetFlags, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	arch, _ := seccomp.ArchOf(runtime.GOARCH) // Start has looked already
	p.listener = &listener{fd: fd, wake: wake, pid: uint32(p.pid), policy: spec.Policy, arch: arch,
		oneExec: layer.On(spec.Layers, layer.OneExec),
		sealed:  make(chan struct{}), done: make(chan struct{}), counts: newRefusals(),
		handing: handing{files: spec.Handed, empty: p.Empty}}
	go p.listener.serve()
	return nil
}

// serve is the two phases, one after the other. The second is another function, so that there is no
// yes in it that a mistake could reach.
func (l *listener) serve() {
	defer close(l.done)
	defer unix.Close(l.fd)
	for l.next(l.judge) {
	}
	close(l.sealed)
	var woken [8]byte
	if n, err := unix.Read(l.wake, woken[:]); n != len(woken) || err != nil || l.leave.Load() {
		return // not sealed: it has ended, or is let go
	}
	if l.waiting != nil {
		l.begin()
	}
	for l.next(l.refuse) {
	}
}

// next answers one call. It is false when there is nothing more to answer so.
func (l *listener) next(answerTo func(*notification) (answer, bool)) bool {
	fds := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}, {Fd: int32(l.wake), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != nil {
			if err == unix.EINTR {
				continue
			}
			return false
		}
		if fds[1].Revents != 0 || fds[0].Revents&unix.POLLIN == 0 {
			return false // sealed or let go, or the hypervisor has ended
		}
		var n notification
		if ioctl(l.fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)) != 0 {
			continue // the caller was killed in between
		}
		a, more := answerTo(&n)
		if more {
			ioctl(l.fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a)) // a caller killed meanwhile needs no answer
		}
		return more // or the kernel answers, with ENOSYS, when the descriptor is closed
	}
}

// judge answers in the start. The first call of all is the launcher's own exec: nothing else has run
// in the jail before it, so the memory that its arguments point to cannot have been changed by anyone.
// Of later calls another thread may change it while we look, so nothing is decided by it; the registers
// are the caller's own, and it waits.
func (l *listener) judge(n *notification) (answer, bool) {
	if f, hands := l.hands(n); hands && l.began && f.AtStart {
		return l.hand(n, f)
	} else if hands && l.began {
		l.waiting = n
		l.once.Do(func() { _, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) })
		return answer{}, false // answered by begin, once nothing else is allowed any more
	}
	yes, no := answer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}, answer{id: n.id, error: -int32(unix.EPERM)}
	if n.nr == unix.SYS_EXECVE || n.nr == unix.SYS_EXECVEAT {
		if !l.began && n.pid == l.pid || l.began && !l.oneExec {
			l.began = true
			return yes, true
		}
		return no, true
	}
	if ban, banned := l.policy.Refuses(l.arch, uint32(n.nr), n.args); banned || !l.began {
		if ban.Errno != 0 {
			no.error = -int32(ban.Errno)
		}
		l.counts.atStart(l.arch.CallName(uint32(n.nr)))
		return no, true
	}
	return yes, true
}

// refuse answers once the start is over: no, and counts. A hypervisor that asks so often that answering
// would cost the host gets its no from the kernel from then on, and that is told with the counts.
func (l *listener) refuse(n *notification) (answer, bool) {
	if f, hands := l.hands(n); hands && !f.AtStart {
		return l.hand(n, f)
	}
	if a, ok := l.looked(n); ok {
		return a, true
	}
	expected := func(seen uint64) bool {
		_, yes := seccomp.Expects(l.arch, uint32(n.nr), n.args, seen)
		return yes
	}
	if !l.counts.inRun(l.arch.CallName(uint32(n.nr)), expected, time.Now()) {
		return answer{}, false
	}
	return answer{id: n.id, error: -int32(unix.EPERM)}, true
}

// looked answers while the keeper has made a file larger for the hypervisor or hands it another one. It may see
// what a file is that it has open, and how large; the rootfs has no other. That one is to be made as large as it is
// is answered, as nothing is left to do.
func (l *listener) looked(n *notification) (answer, bool) {
	if !l.looks.Load() {
		return answer{}, false
	}
	switch call := l.arch.CallName(uint32(n.nr)); {
	case call == "ftruncate" && n.args[1] != 0 && int64(n.args[1]) == l.growing.Load():
		return answer{id: n.id}, true
	case call == "fstat", call == "newfstatat" && uint32(n.args[3]) == unix.AT_EMPTY_PATH,
		call == "lseek" && n.args[1] == 0 && uint32(n.args[2]) == unix.SEEK_END:
		return answer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}, true
	}
	return answer{}, false
}

// seal ends the start: when it returns, no call is said yes to any more, and none ever will.
func (l *listener) seal() error {
	var err error
	l.once.Do(func() { _, err = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) })
	if err == nil {
		<-l.sealed
	}
	return err
}

// release ends the loop. With the last copy of the descriptor gone, the kernel answers ENOSYS.
func (l *listener) release() {
	l.letGo.Do(func() { // its number is another descriptor's afterwards
		l.leave.Store(true)
		_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		<-l.done
		unix.Close(l.wake)
	})
}

func ioctl(fd int, request uintptr, p unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(p))
	return errno
}
