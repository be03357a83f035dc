package freebsdjail

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"skep/internal/jail"
	"skep/internal/process"

	"golang.org/x/sys/unix"
)

// AdoptChild takes over a program that another process started in a jail. Its end
// is seen with kqueue(2), which tells the exit status to whoever watches, not
// to the parent alone.
func AdoptChild(pid int, start uint64) (*Child, error) {
	kq, err := unix.Kqueue()
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(kq)
	watch := []unix.Kevent_t{{Ident: uint64(pid), Filter: unix.EVFILT_PROC, Flags: unix.EV_ADD | unix.EV_ONESHOT, Fflags: unix.NOTE_EXIT}}
	if _, err := unix.Kevent(kq, watch, nil, nil); err != nil {
		unix.Close(kq)
		if errors.Is(err, unix.ESRCH) {
			return nil, process.ErrGone
		}
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	// Only now is it certain that what is watched is that process.
	if !process.Lives(pid, start) {
		unix.Close(kq)
		return nil, process.ErrGone
	}
	c := &Child{pid: pid, start: start, exited: make(chan struct{})}
	go func() {
		defer unix.Close(kq)
		defer close(c.exited)
		for {
			out := make([]unix.Kevent_t, 1)
			n, err := unix.Kevent(kq, nil, out, nil)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err == nil && n == 1 && out[0].Flags&unix.EV_ERROR == 0 {
				c.exit = exitOf(syscall.WaitStatus(out[0].Data))
			}
			return
		}
	}()
	return c, nil
}

func exitOf(s syscall.WaitStatus) jail.Exit {
	if s.Signaled() {
		return jail.Exit{Seen: true, Signal: int(s.Signal())}
	}
	return jail.Exit{Seen: true, Code: s.ExitStatus()}
}

// Signal sends it a signal, unless it is gone.
func (c *Child) Signal(s syscall.Signal) error {
	select {
	case <-c.exited:
		return os.ErrProcessDone
	default:
	}
	if c.cmd != nil {
		return c.cmd.Process.Signal(s)
	}
	if !process.Lives(c.pid, c.start) {
		return os.ErrProcessDone
	}
	return syscall.Kill(c.pid, s)
}

// Kill ends it at once.
func (c *Child) Kill() { _ = c.Signal(syscall.SIGKILL) }
