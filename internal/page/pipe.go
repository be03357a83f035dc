package page

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Bounds of what goes over a Pipe. The largest thing said is a picture of a screen.
const (
	maxFrame = 48 << 20
	maxFiles = 4
	header   = 5 // length of what follows, and how many descriptors come with it
)

// A Pipe carries messages between the page and who serves it: a length, how many descriptors come with it, and
// JSON. The descriptors go with the first byte.
type Pipe struct {
	file *os.File
	raw  syscall.RawConn

	writing sync.Mutex

	takes bool // descriptors
	buf   []byte
	files []*os.File
}

// NewPipe speaks over one end of a pair of stream sockets. An end that does not take descriptors has the kernel
// close what is sent with a message.
func NewPipe(fd int, takes bool) (*Pipe, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "pipe")
	raw, err := f.SyscallConn()
	return &Pipe{file: f, raw: raw, takes: takes}, err
}

// Close ends the conversation.
func (p *Pipe) Close() error { return p.file.Close() }

// Send says something. The descriptors stay the caller's.
func (p *Pipe) Send(v any, files ...*os.File) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(text) > maxFrame || len(files) > maxFiles {
		return fmt.Errorf("a message of %d bytes and %d files is too large", len(text), len(files))
	}
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), byte(len(files)))
	b = append(b, text...)
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	for len(b) > 0 {
		n, err := p.write(b, rights)
		if err != nil {
			return err
		}
		b, rights = b[n:], nil
	}
	return nil
}

func (p *Pipe) write(b, rights []byte) (n int, err error) {
	werr := p.raw.Write(func(fd uintptr) bool {
		for {
			n, err = unix.SendmsgN(int(fd), b, rights, nil, unix.MSG_NOSIGNAL)
			if !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	return n, errors.Join(werr, err)
}

// Receive waits for what is said next. The descriptors are the caller's.
func (p *Pipe) Receive(v any) ([]*os.File, error) {
	if err := p.fill(header); err != nil {
		return nil, err
	}
	size, many := int(binary.BigEndian.Uint32(p.buf)), int(p.buf[4])
	if size > maxFrame || many > maxFiles || many > 0 && !p.takes {
		return nil, errors.New("the other end of the pipe spoke nonsense")
	}
	if err := p.fill(header + size); err != nil {
		return nil, err
	}
	text := p.buf[header : header+size]
	err := json.Unmarshal(text, v)
	p.buf = p.buf[header+size:]
	if len(p.buf) == 0 {
		p.buf = nil
	}
	if many > len(p.files) {
		return nil, errors.New("descriptors were lost on their way")
	}
	files := p.files[:many:many]
	p.files = p.files[many:]
	return files, err
}

// fill reads until so many bytes are there.
func (p *Pipe) fill(want int) error {
	for len(p.buf) < want {
		room := make([]byte, max(4096, want-len(p.buf)))
		n, err := p.read(room)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.EOF
		}
		p.buf = append(p.buf, room[:n]...)
	}
	return nil
}

func (p *Pipe) read(b []byte) (n int, err error) {
	if !p.takes {
		return p.file.Read(b)
	}
	rights := make([]byte, unix.CmsgSpace(4*maxFiles))
	var got int
	rerr := p.raw.Read(func(fd uintptr) bool {
		for {
			n, got, _, _, err = unix.Recvmsg(int(fd), b, rights, unix.MSG_CMSG_CLOEXEC)
			if !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	if err = errors.Join(rerr, err); err != nil || got == 0 {
		return n, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:got])
	if err != nil {
		return n, err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return n, err
		}
		for _, fd := range fds {
			_ = syscall.SetNonblock(fd, true)
			p.files = append(p.files, os.NewFile(uintptr(fd), "handed"))
		}
	}
	return n, nil
}
