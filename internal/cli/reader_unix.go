//go:build linux || freebsd

package cli

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// blockingPipe is a pipe for a program that does not expect one that does not block.
func blockingPipe() (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	return os.NewFile(uintptr(fds[0]), "dump"), os.NewFile(uintptr(fds[1]), "dump"), nil
}

// readerGone is closed once whoever reads a stream has left, so that a command
// which has nothing to write for the moment ends as well. A file has no reader
// who could leave.
func readerGone(ctx context.Context, w io.Writer) <-chan struct{} {
	gone := make(chan struct{})
	f, ok := w.(*os.File)
	if !ok {
		return gone
	}
	go func() {
		const look = 100 * time.Millisecond
		for ctx.Err() == nil {
			// No event is asked for: an error or a hang-up is told all the same.
			fds := []unix.PollFd{{Fd: int32(f.Fd())}}
			n, err := unix.Poll(fds, 0)
			switch {
			case err != nil && err != unix.EINTR, n > 0 && fds[0].Revents&unix.POLLNVAL != 0:
				return
			case n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0:
				close(gone)
				return
			}
			time.Sleep(look)
		}
	}()
	return gone
}
