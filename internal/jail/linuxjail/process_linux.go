package linuxjail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/layer"
	"skep/internal/process"
)

// A Process is a live hypervisor in its jail. Nothing of it depends on the keeper: if that dies,
// it goes on, and another keeper can Adopt it.
type Process struct {
	pid      int
	file     *os.File // the pidfd, in the runtime's poller
	start    uint64
	child    bool
	record   jail.Record
	listener *listener

	done    chan struct{} // closed when it has ended and exit is set
	exit    jail.Exit
	sealing sync.Mutex
}

func newProcess(pid, pidfd int, start uint64, child bool) (*Process, error) {
	p := &Process{pid: pid, start: start, child: child, done: make(chan struct{})}
	if err := unix.SetNonblock(pidfd, true); err != nil {
		unix.Close(pidfd)
		return nil, fmt.Errorf("cannot watch process %d: %w", pid, err)
	}
	p.file = os.NewFile(uintptr(pidfd), "pidfd")
	go p.reap()
	return p, nil
}

// Adopt takes over a hypervisor that another keeper started. The start time makes sure that the
// number has not gone to someone else. Its phases are sealed: the listener died with its keeper.
func Adopt(pid int, start uint64, record jail.Record) (*Process, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot adopt process %d: %w", pid, process.ErrGone)
	}
	// With the pidfd in hand the number cannot change its owner between here and the check.
	if now, err := process.StartTime(pid); err != nil || now != start {
		unix.Close(pidfd)
		return nil, fmt.Errorf("cannot adopt process %d: %w", pid, process.ErrGone)
	}
	p, err := newProcess(pid, pidfd, start, false)
	if err != nil {
		return nil, err
	}
	p.record = record
	p.record.Sealed = true
	return p, nil
}

// Pid is the hypervisor's number on the host, StartTime what tells it from a later one of that
// number: field 22 of /proc/PID/stat.
func (p *Process) Pid() int          { return p.pid }
func (p *Process) StartTime() uint64 { return p.start }

// PidFD is a descriptor of the process. It is the Process's own and closed by Release.
func (p *Process) PidFD() *os.File { return p.file }

// Done is closed when the hypervisor has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Record is what was applied.
func (p *Process) Record() jail.Record {
	p.sealing.Lock()
	defer p.sealing.Unlock()
	r := p.record
	r.Layers = slices.Clone(r.Layers)
	return r
}

// Refusals are the calls that it asked for and did not get, so far; Refused says that there are more. An
// adopted hypervisor's are answered by the kernel, which counts none.
func (p *Process) Refusals() jail.Refusals {
	if p.listener == nil {
		return jail.Refusals{}
	}
	return p.listener.counts.copy()
}

// Refused is ready when more calls were refused, and nil where none are counted.
func (p *Process) Refused() <-chan struct{} {
	if p.listener == nil {
		return nil
	}
	return p.listener.counts.changed
}

// Seal ends the start: from here on each call that is not the policy's fails, and nobody can undo it.
func (p *Process) Seal() error {
	p.sealing.Lock()
	defer p.sealing.Unlock()
	if !layer.On(p.record.Layers, layer.TwoPhases) {
		return nil // taken away on purpose: the listener goes on saying yes
	}
	if p.listener != nil {
		if err := p.listener.seal(); err != nil {
			return fmt.Errorf("cannot end the start phase: %w", err)
		}
	}
	p.record.Sealed = true
	return nil
}

// ErrNobodyAnswers: the listener went with the keeper that started the hypervisor.
var ErrNobodyAnswers = errors.New("its keeper has died since its start")

// Looking has the hypervisor look, in do, at files that it has open, by calls that it does not have otherwise.
// Where size is not 0 one of them is that large by now, and it learns so when it asks to make it that large.
func (p *Process) Looking(size int64, do func() error) error {
	if p.listener == nil {
		return ErrNobodyAnswers
	}
	p.listener.growing.Store(size)
	p.listener.looks.Store(true)
	defer p.listener.growing.Store(0)
	defer p.listener.looks.Store(false)
	return do()
}

// Kill ends the hypervisor now. One that has ended already is no error.
func (p *Process) Kill() error {
	err := p.control(func(fd int) error { return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) })
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// abandon ends a process that never became a hypervisor.
func (p *Process) abandon() {
	_ = p.Kill()
	<-p.done
	_ = p.Release()
}

// Wait returns how it ended.
func (p *Process) Wait(ctx context.Context) (jail.Exit, error) {
	select {
	case <-p.done:
		return p.exit, nil
	case <-ctx.Done():
		return jail.Exit{}, ctx.Err()
	}
}

// Release lets go of what the keeper holds of the process and leaves that alone. The listener ends
// with it. Done is not closed any more if it was not yet.
func (p *Process) Release() error {
	if p.listener != nil {
		p.listener.release()
	}
	return p.file.Close()
}

func (p *Process) control(do func(fd int) error) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = conn.Control(func(fd uintptr) { inner = do(int(fd)) })
	return errors.Join(err, inner)
}

// reap waits in the runtime's poller, without a thread. After Release nobody collects the process;
// it is then init's or the next keeper's.
func (p *Process) reap() {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	err = conn.Read(func(fd uintptr) bool { return p.ended(int(fd)) })
	if err == nil {
		close(p.done)
	}
}

func (p *Process) ended(pidfd int) bool {
	if p.child {
		var status unix.WaitStatus
		pid, err := unix.Wait4(p.pid, &status, unix.WNOHANG, nil)
		if err == nil && pid == p.pid {
			p.exit = jail.Exit{Seen: true, Code: status.ExitStatus()}
			if status.Signaled() {
				p.exit.Code, p.exit.Signal = 0, int(status.Signal())
			}
			return true
		}
		return err != nil && err != unix.EINTR
	}
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1
}
