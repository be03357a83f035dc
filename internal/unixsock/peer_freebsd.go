package unixsock

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Peer is the process that listens at the other end of a UNIX socket, 0 where
// the kernel does not say: LOCAL_PEERCRED of unix(4), whose struct xucred ends
// with cr_pid since FreeBSD 13 (sys/ucred.h).
func Peer(c *net.UnixConn) int {
	cred, _ := credentials(c)
	return int(cred.pid)
}

// PeerUser is the user at the other end, as the kernel says.
func PeerUser(c *net.UnixConn) (uid int, ok bool) {
	cred, ok := credentials(c)
	return int(cred.uid), ok
}

// PeerCred is PeerUser with the groups, sixteen at most: cr_groups of struct xucred, whose first is the effective one.
func PeerCred(c *net.UnixConn) (Cred, bool) {
	x, ok := credentials(c)
	if !ok {
		return Cred{}, false
	}
	cred := Cred{UID: int(x.uid)}
	for _, g := range x.groups[:min(max(int(x.ngroups), 0), len(x.groups))] {
		cred.Groups = append(cred.Groups, int(g))
	}
	return cred, true
}

// xucred is struct xucred.
type xucred struct {
	version, uid uint32
	ngroups      int16
	groups       [16]uint32
	_            uint32 // to the pointer that shares its place with the number
	pid          int32
	_            uint32
}

func credentials(c *net.UnixConn) (cred xucred, ok bool) {
	const solLocal = 0
	size := uint32(unsafe.Sizeof(cred))
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, solLocal, unix.LOCAL_PEERCRED,
				uintptr(unsafe.Pointer(&cred)), uintptr(unsafe.Pointer(&size)), 0)
			ok = errno == 0
		})
	}
	return cred, ok
}
