// Package bpf reads and writes the frames of an interface by a descriptor of bpf(4). Who has it needs no right and
// no name: it was opened and bound outside, by Open or by Device and Attach, and is good for this interface alone.
package bpf

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Direction is which frames a descriptor sees, BIOCSDIRECTION of sys/net/bpf.h.
type Direction uint32

// In: what the interface has received, which on a tap is what the guest has sent; Out: what it sends.
const (
	In  Direction = 0
	Out Direction = 2
)

// The header before each frame, struct bpf_hdr where long has 64 bits: a time in seconds and microseconds, how much
// of the frame is there, how long it was, and how long the header is.
const (
	headLeast  = 26
	headWhole  = 16
	headLength = 24
	alignment  = 8
)

// errTorn: no kernel writes that.
var errTorn = errors.New("what came is not of bpf(4)")

// A Reader reads frames until the interface is gone, or until says that it is enough.
type Reader struct {
	f, until *os.File
	buf      []byte
	rest     []byte
}

// NewReader reads from f, whose buffer in the kernel has that size: no other size is read. until may be nil; it is
// enough when it can be read or has hung up.
func NewReader(f, until *os.File, size int) *Reader {
	return &Reader{f: f, until: until, buf: make([]byte, size)}
}

// Next is the next frame, valid until the next call, and when it passed.
func (r *Reader) Next() ([]byte, time.Time, error) {
	for len(r.rest) == 0 {
		if err := r.fill(); err != nil {
			return nil, time.Time{}, err
		}
	}
	frame, at, size, ok := first(r.rest)
	if !ok {
		return nil, time.Time{}, errTorn
	}
	r.rest = r.rest[size:]
	return frame, at, nil
}

// first takes the first frame of a buffer apart.
func first(b []byte) (frame []byte, at time.Time, size int, ok bool) {
	if len(b) < headLeast {
		return nil, at, 0, false
	}
	at = time.Unix(int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))*1000)
	whole, head := int(binary.LittleEndian.Uint32(b[headWhole:])), int(binary.LittleEndian.Uint16(b[headLength:]))
	if head < headLeast || whole < 0 || head+whole > len(b) {
		return nil, at, 0, false
	}
	return b[head : head+whole], at, min((head+whole+alignment-1)&^(alignment-1), len(b)), true
}

// fill waits for what comes.
func (r *Reader) fill() error {
	defer runtime.KeepAlive(r)
	fd := int(r.f.Fd())
	for r.until != nil {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(r.until.Fd()), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if err == nil && fds[1].Revents != 0 {
			return io.EOF
		}
		if err == nil && fds[0].Revents != 0 {
			break
		}
	}
	n, err := unix.Read(fd, r.buf)
	switch {
	case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
		return nil
	case errors.Is(err, unix.ENXIO):
		return io.EOF // the interface is gone, and the guest with it
	case err != nil:
		return err
	}
	r.rest = r.buf[:max(n, 0)]
	return nil
}

// Dropped is how many frames the kernel had no room for.
func (r *Reader) Dropped() uint64 {
	n, _ := Lost(r.f)
	return n
}

// A Stream has frames behind their lengths in four bytes, as QEMU's netdev "stream" has them.
type Stream struct {
	*Reader
	waiting []byte
}

// NewStream is one; its arguments are as NewReader's.
func NewStream(f, until *os.File, size int) *Stream {
	return &Stream{Reader: NewReader(f, until, size)}
}

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (int, error) {
	if len(s.waiting) == 0 {
		frame, _, err := s.Next()
		if err != nil {
			return 0, err
		}
		s.waiting = append(binary.BigEndian.AppendUint32(s.waiting[:0], uint32(len(frame))), frame...)
	}
	n := copy(p, s.waiting)
	s.waiting = s.waiting[n:]
	return n, nil
}

// Write sends whole frames. One that the interface does not take is lost, as on a wire: it is longer than any here,
// or the guest's end is not open yet.
func (s *Stream) Write(batch []byte) (int, error) {
	defer runtime.KeepAlive(s)
	fd := int(s.f.Fd())
	for rest := batch; len(rest) > 0; {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(binary.BigEndian.Uint32(rest)) {
			return 0, io.ErrShortWrite
		}
		size := int(binary.BigEndian.Uint32(rest))
		_, err := unix.Write(fd, rest[4:4+size])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.ENXIO) {
			return 0, err
		}
		rest = rest[4+size:]
	}
	return len(batch), nil
}
