package cli

import (
	"golang.org/x/sys/unix"

	"skep/internal/jail"
)

// alive says whether the process still is the one that started then, and runs:
// of one that has ended its exit status stays for a while, and its pidfd can be
// read, pidfd_open(2).
func alive(pid int, start uint64) bool {
	p, err := jail.Adopt(pid, start, jail.Record{})
	if err != nil {
		return false
	}
	defer p.Release()
	fds := []unix.PollFd{{Fd: int32(p.PidFD().Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 0
}
