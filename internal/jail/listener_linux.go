package jail

import (
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
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

// A listener answers for the keeper until it is sealed: yes to the first exec, no to each other
// one, yes to what the start needs. It runs in one goroutine.
type listener struct {
	fd, wake int // wake is an eventfd that ends the loop
	pid      uint32
	began    bool // the one exec has been granted
	once     sync.Once
	done     chan struct{}
}

func (p *Process) listen(fd int) error {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("cannot build the jail: eventfd: %w", err)
	}
	// Where the kernel can, it lets the two sides take turns on one processor. It is only faster.
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), seccompSetFlags, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	p.listener = &listener{fd: fd, wake: wake, pid: uint32(p.pid), done: make(chan struct{})}
	go p.listener.serve()
	return nil
}

func (l *listener) serve() {
	defer close(l.done)
	defer unix.Close(l.fd)
	fds := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}, {Fd: int32(l.wake), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != nil {
			if err == unix.EINTR {
				continue
			}
			return
		}
		if fds[1].Revents != 0 || fds[0].Revents&unix.POLLIN == 0 {
			return // sealed, or the hypervisor is gone
		}
		var n notification
		if ioctl(l.fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)) != 0 {
			continue // the caller was killed in between
		}
		a := l.judge(&n)
		ioctl(l.fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(a)) // a caller killed meanwhile needs no answer
	}
}

// judge answers one call. The first of all is the launcher's own exec: nothing else has run in the
// jail before it, so its arguments cannot have been changed by anyone. What comes after it may be
// changed by another thread while we look, therefore nothing is decided by an argument here; the
// second filter, in the kernel, has decided on those.
func (l *listener) judge(n *notification) *answer {
	exec := n.nr == unix.SYS_EXECVE || n.nr == unix.SYS_EXECVEAT
	a := &answer{id: n.id}
	switch {
	case !l.began && exec && n.pid == l.pid:
		l.began = true
		a.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	case l.began && !exec:
		a.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	default:
		a.error = -int32(unix.ENOSYS)
	}
	return a
}

// seal ends the loop. With the last copy of the descriptor gone, the kernel answers ENOSYS.
func (l *listener) seal() error {
	var err error
	l.once.Do(func() {
		_, err = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		<-l.done
		unix.Close(l.wake)
	})
	return err
}

func ioctl(fd int, request uintptr, p unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(p))
	return errno
}
