package unixsock

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// Send writes to a UNIX socket, with a file alongside where one is given.
func Send(conn net.Conn, b []byte, file *os.File) error {
	u, ok := conn.(*net.UnixConn)
	if file == nil || !ok {
		if file != nil {
			return errors.ErrUnsupported
		}
		_, err := conn.Write(b)
		return err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var sendErr error
	err = raw.Control(func(fd uintptr) { n, _, sendErr = u.WriteMsgUnix(b, syscall.UnixRights(int(fd)), nil) })
	if err = errors.Join(err, sendErr); err != nil {
		return err
	}
	if n < len(b) {
		_, err = u.Write(b[n:])
	}
	return err
}
