package unixsock

import (
	"net"
	"unsafe"

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

// PeerCred is PeerUser with the groups: SO_PEERGROUPS, since Linux 4.13. Where the kernel does not say them there are
// none but that of SO_PEERCRED.
func PeerCred(c *net.UnixConn) (cred Cred, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Cred{}, false
	}
	_ = raw.Control(func(fd uintptr) {
		u, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return
		}
		cred, ok = Cred{UID: int(u.Uid), Groups: []int{int(u.Gid)}}, true
		for _, g := range peerGroups(fd) {
			cred.Groups = append(cred.Groups, int(g))
		}
	})
	return cred, ok
}

// peerGroups are the supplementary groups. A process has 65536 at most.
func peerGroups(fd uintptr) []uint32 {
	for many := 64; many <= 1<<16; many *= 4 {
		groups := make([]uint32, many)
		size := uint32(4 * many)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == unix.ERANGE:
		case errno != 0:
			return nil
		default:
			return groups[:min(int(size/4), many)]
		}
	}
	return nil
}
