package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// Ended is closed when a process has ended, whoever its parent is. done stops the watch.
func Ended(pid int) (ended <-chan struct{}, done func(), err error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, nil, err
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	conn, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	ch := make(chan struct{})
	go func() {
		if conn.Read(func(fd uintptr) bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return err == nil && n == 1
		}) == nil {
			close(ch)
		}
	}()
	return ch, func() { f.Close() }, nil
}
