package linuxjail

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// addfd is struct seccomp_notif_addfd.
type addfd struct {
	id         uint64
	flags      uint32
	src        uint32
	newfd      uint32
	newfdFlags uint32
}

// handing is the part of a listener that hands files in.
type handing struct {
	files   []Handed
	waiting *notification // the open that ended the start
	empty   func(context.Context) error
}

// hands reports whether a call opens a name that is handed in. The name lies in the caller's memory, and
// another thread may change it while we look: whatever it says, the caller gets a file that it is to have.
func (h *handing) hands(n *notification) (f Handed, hands bool) {
	if len(h.files) == 0 {
		return f, false
	}
	var at uint64
	switch n.nr {
	case unix.SYS_OPENAT:
		at = n.args[1]
	case sysOpen:
		at = n.args[0]
	default:
		return f, false
	}
	name := nameAt(int(n.pid), uintptr(at))
	for _, f := range h.files {
		if name == string(f.Name) {
			return f, true
		}
	}
	return f, false
}

// longestName bounds what is read of a caller's memory.
const longestName = 128

// nameAt reads a C string from the memory of a process; "" is none.
func nameAt(pid int, at uintptr) string {
	var b [longestName]byte
	page := uintptr(os.Getpagesize())
	first := min(uintptr(len(b)), page-at%page)
	remote := []unix.RemoteIovec{{Base: at, Len: int(first)}}
	if first < uintptr(len(b)) { // what follows may not be mapped, and then what is has to do
		remote = append(remote, unix.RemoteIovec{Base: at + first, Len: len(b) - int(first)})
	}
	n, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}}, remote, 0)
	if err != nil {
		return ""
	}
	name, _, ended := bytes.Cut(b[:n], []byte{0})
	if !ended {
		return ""
	}
	return string(name)
}

// hand answers an open with a descriptor of the handed file.
func (l *listener) hand(n *notification, f Handed) (answer, bool) {
	no := answer{id: n.id, error: -int32(unix.EACCES)}
	flags := n.args[2]
	if n.nr == sysOpen {
		flags = n.args[1]
	}
	var fd int
	err := control(f.File, func(own int) error {
		mode, err := unix.FcntlInt(uintptr(own), unix.F_GETFL, 0)
		if err != nil || !f.AtStart && mode&unix.O_ACCMODE != unix.O_RDWR && mode&unix.O_ACCMODE != int(flags)&unix.O_ACCMODE {
			return unix.EACCES
		}
		a := addfd{id: n.id, src: uint32(own), newfdFlags: unix.O_CLOEXEC}
		r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), unix.SECCOMP_IOCTL_NOTIF_ADDFD, uintptr(unsafe.Pointer(&a)))
		if errno != 0 {
			return errno
		}
		fd = int(r)
		return nil
	})
	if err != nil {
		return no, true
	}
	return answer{id: n.id, val: int64(fd)}, true
}

// begin ends the start for the open that waits, and answers it. An emptying that fails leaves the open
// refused: what the program would read then it does not get.
func (l *listener) begin() {
	n := l.waiting
	l.waiting = nil
	a := answer{id: n.id, error: -int32(unix.EACCES)}
	if l.empty(context.Background()) == nil {
		if f, hands := l.hands(n); hands {
			a, _ = l.hand(n, f)
		}
	}
	ioctl(l.fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a))
}

// control runs f with the number of a file's descriptor, which stays open meanwhile.
func control(file *os.File, f func(fd int) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("%s: %w", file.Name(), err)
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
