package keeper

import (
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// passBytes has the kernel send what is in a file: os.File does so only where it can on Linux, and would read it here.
func passBytes(conn net.Conn, f *os.File, size int64) error {
	to, ok := conn.(syscall.Conn)
	if !ok { // no socket: one that a test has made up
		_, err := f.WriteTo(conn)
		return err
	}
	out, err := to.SyscallConn()
	if err != nil {
		return err
	}
	in, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var at int64
	cerr := in.Control(func(from uintptr) {
		werr := out.Write(func(fd uintptr) bool {
			for at < size {
				offset := at
				var n int
				n, err = unix.Sendfile(int(fd), int(from), &offset, int(size-at))
				at += int64(n)
				switch {
				case errors.Is(err, unix.EINTR):
				case errors.Is(err, unix.EAGAIN):
					return false
				case err != nil:
					return true
				case n == 0:
					err = errors.New("the file ends before its size")
					return true
				}
			}
			err = nil
			return true
		})
		err = errors.Join(err, werr)
	})
	return errors.Join(err, cerr)
}
