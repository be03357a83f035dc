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
	const solLocal = 0
	var cred struct {
		version, uid uint32
		ngroups      int16
		groups       [16]uint32
		_            uint32 // to the pointer that shares its place with the number
		pid          int32
		_            uint32
	}
	size, pid := uint32(unsafe.Sizeof(cred)), 0
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, solLocal, unix.LOCAL_PEERCRED,
				uintptr(unsafe.Pointer(&cred)), uintptr(unsafe.Pointer(&size)), 0)
			if errno == 0 {
				pid = int(cred.pid)
			}
		})
	}
	return pid
}
