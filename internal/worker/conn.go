//go:build linux || freebsd

package worker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Pair is a pair of connected sockets that keep messages apart: the keeper's end, and its worker's.
func Pair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "keeper"), nil
}

// conn is one end of such a pair. One goroutine sends at a time, and one receives.
type conn struct {
	f   *os.File
	raw syscall.RawConn
	out [Size]byte
	in  [Size + 1]byte // a byte more shows a message that is too long
}

func newConn(f *os.File) (*conn, error) {
	raw, err := f.SyscallConn()
	return &conn{f: f, raw: raw}, err
}

// send sends one message, whole, and descriptors beside it.
func (c *conn) send(m Message, files ...*os.File) error {
	if err := m.encode(c.out[:]); err != nil {
		return err
	}
	return withFDs(files, nil, func(fds []int) error {
		var oob []byte
		if len(fds) > 0 {
			oob = unix.UnixRights(fds...)
		}
		for b := c.out[:]; len(b) > 0; oob = nil {
			n, err := sendAll(c.raw, b, oob)
			if err != nil {
				return err
			}
			b = b[n:]
		}
		return nil
	})
}

// withFDs calls do with the numbers of files, which stay open meanwhile.
func withFDs(files []*os.File, fds []int, do func([]int) error) error {
	if len(files) == len(fds) {
		return do(fds)
	}
	raw, err := files[len(fds)].SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) { inner = withFDs(files, append(fds, int(fd)), do) })
	return errors.Join(err, inner)
}

func sendAll(raw syscall.RawConn, b, oob []byte) (n int, err error) {
	werr := raw.Write(func(fd uintptr) bool {
		for {
			n, err = unix.SendmsgN(int(fd), b, oob, nil, unix.MSG_NOSIGNAL|endOfMessage)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	return n, errors.Join(err, werr)
}

// receive waits for one message. Without most, descriptors that come with it are refused and closed.
func (c *conn) receive(most int) (m Message, files []*os.File, err error) {
	n, cut := 0, 0
	for whole := false; !whole && n <= Size; {
		got, flags, some, err := c.read(c.in[n:], most)
		files = append(files, some...)
		if err == nil && got == 0 && len(some) == 0 {
			err = io.EOF
		}
		if err != nil {
			closeAll(files)
			return m, nil, err
		}
		n, cut, whole = n+got, cut|flags, endOfMessage == 0 || flags&endOfMessage != 0
	}
	switch {
	case cut&unix.MSG_CTRUNC != 0 || len(files) > most:
		err = fmt.Errorf("%w: it brings descriptors", errForm)
	case cut&unix.MSG_TRUNC != 0 || n > Size:
		err = fmt.Errorf("%w: more than %d bytes", errSize, Size)
	default:
		m, err = decode(c.in[:n])
	}
	if err != nil {
		closeAll(files)
		return m, nil, err
	}
	return m, files, nil
}

// read is one recvmsg(2).
func (c *conn) read(b []byte, most int) (n, flags int, files []*os.File, err error) {
	oob := make([]byte, max(unix.CmsgSpace(4*most), refusedRoom)) // nil where nothing is to come
	if most == 0 && refusedRoom == 0 {
		oob = nil
	}
	var oobn int
	rerr := c.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, _, err = unix.Recvmsg(int(fd), b, oob, unix.MSG_CMSG_CLOEXEC)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	if err = errors.Join(err, rerr); err == nil && oobn > 0 {
		if files, err = filesIn(oob[:oobn]); err != nil {
			err = fmt.Errorf("%w: %w", errForm, err)
		}
	}
	return n, flags, files, err
}

// filesIn are the descriptors that came with a message.
func filesIn(oob []byte) (files []*os.File, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "handed in"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// stream is a connected socket that came as a descriptor. It needs none of the calls by which package net
// asks what a socket is.
type stream struct{ *os.File }

func (stream) LocalAddr() net.Addr  { return nil }
func (stream) RemoteAddr() net.Addr { return nil }

// SetDeadline bounds reading and writing, by methods that a net.Conn has.
func (s stream) SetDeadline(t time.Time) error { return s.File.SetDeadline(t) }

// WriteWithFile sends a descriptor with the first byte of b.
func (s stream) WriteWithFile(b []byte, f *os.File) (n int, err error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = withFDs([]*os.File{f}, nil, func(fds []int) error {
		n, err = sendAll(raw, b, unix.UnixRights(fds...))
		return err
	})
	return n, err
}
