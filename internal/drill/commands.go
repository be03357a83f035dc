//go:build linux || freebsd

package drill

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// commandPair is a connection to an attacker.
func commandPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "commands"), os.NewFile(uintptr(fds[1]), "commands")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}
