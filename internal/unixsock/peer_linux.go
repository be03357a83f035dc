package unixsock

import (
	"net"

	"golang.org/x/sys/unix"
)

// Peer is the process that listens at the other end of a UNIX socket, 0 where
// the kernel does not say: SO_PEERCRED of unix(7).
func Peer(c *net.UnixConn) int {
	pid := 0
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
				pid = int(cred.Pid)
			}
		})
	}
	return pid
}

// PeerUser is the user at the other end, as the kernel says.
func PeerUser(c *net.UnixConn) (uid int, ok bool) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
				uid, ok = int(cred.Uid), true
			}
		})
	}
	return uid, ok
}
