package linuxjail

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
)

// launch holds the descriptors of one start. The child's are above the numbers the hypervisor gets.
type launch struct {
	in      inherited
	sync    int    // the keeper's end
	reports int    // the keeper's end of errors
	began   uint64 // when the child was made, as /proc/PID/stat has it
	childs  []int
}

// spare is how many numbers stay free between the hypervisor's and the launcher's descriptors: the
// program opens a few of its own there and says which numbers it expects.
const spare = 4

func newLaunch(spec Spec) (*launch, error) {
	l := &launch{sync: -1, reports: -1}
	if err := l.open(spec); err != nil {
		l.close()
		return nil, cannotBuild("%w", err)
	}
	return l, nil
}

func (l *launch) open(spec Spec) error {
	base := FirstFD + len(spec.FDs) + spare
	var pair, pipe [2]int
	var err error
	if pair, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		unix.Close(pair[0])
		unix.Close(pair[1])
		return fmt.Errorf("pipe: %w", err)
	}
	l.reports, l.in.errors = pipe[0], l.lift(pipe[1], base, &err)
	l.in.sync = l.lift(pair[1], base, &err)
	// The keeper's end has to be out of the way too, or dup3 would replace it before it is closed.
	l.sync = l.liftOwn(pair[0], base, &err)
	l.in.parentSync = l.sync
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	dup := func(f *os.File) int {
		if f == nil {
			f = null
		}
		return l.dup(f, base, &err)
	}
	for i, f := range []*os.File{spec.Stdin, spec.Stdout, spec.Stderr} {
		l.in.std[i] = dup(f)
	}
	for _, fd := range spec.FDs {
		l.in.fds = append(l.in.fds, dup(fd.File))
	}
	for _, c := range spec.Root.Copies {
		l.in.copies = append(l.in.copies, dup(c.From))
	}
	if err != nil {
		return err
	}
	l.in.nodes = -1
	if spec.Identity.Mapping == jail.ByRoot {
		if err := l.openFiles(spec.Root.Files, base); err != nil {
			return err
		}
	}
	if len(spec.Root.Nodes) > 0 && spec.Identity.Mapping == jail.ByRoot {
		nodes, err := makeNodes(spec)
		if err != nil {
			return err
		}
		l.in.nodes = l.lift(nodes, base, &err)
		return err
	}
	return nil
}

// openFiles takes a copy of each file's mount that is mounted nowhere yet. Taken by the keeper it
// needs no permission of the cell's on the path; taken by descriptor it needs no host path at all
// in the child.
func (l *launch) openFiles(files []File, base int) error {
	for _, f := range files {
		fd, err := unix.OpenTree(unix.AT_FDCWD, string(f.Host), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return fmt.Errorf("take %s: %w", f.Host, err)
		}
		if fd < base {
			if fd = l.lift(fd, base, &err); err != nil {
				return err
			}
		} else {
			l.childs = append(l.childs, fd)
		}
		attr := &unix.MountAttr{Attr_set: uint64(flags(f.attributes()...).value), Propagation: unix.MS_PRIVATE}
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, attr); err != nil {
			return fmt.Errorf("take %s: %w", f.Host, err)
		}
		l.in.files = append(l.in.files, fd)
	}
	return nil
}

// dup copies a descriptor of the caller's to base or above.
func (l *launch) dup(f *os.File, base int, err *error) int {
	if *err != nil {
		return -1
	}
	high := -1
	conn, e := f.SyscallConn()
	if e == nil {
		// Control keeps the file open for the moment and leaves its mode alone, unlike Fd.
		if c := conn.Control(func(fd uintptr) { high, e = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, base) }); c != nil {
			e = c
		}
	}
	if e != nil {
		*err = fmt.Errorf("duplicate %s: %w", f.Name(), e)
		return -1
	}
	l.childs = append(l.childs, high)
	return high
}

// lift moves a descriptor of ours to base or above; liftOwn does so for one the keeper keeps.
func (l *launch) lift(fd, base int, err *error) int {
	high := l.liftOwn(fd, base, err)
	if high >= 0 {
		l.childs = append(l.childs, high)
	}
	return high
}

func (l *launch) liftOwn(fd, base int, err *error) int {
	high, e := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, base)
	unix.Close(fd)
	if e != nil {
		*err = fmt.Errorf("duplicate a descriptor: %w", e)
		return -1
	}
	return high
}

// dropChildEnds closes what only the child needs, so that its end shows.
func (l *launch) dropChildEnds() {
	for _, fd := range l.childs {
		unix.Close(fd)
	}
	l.childs = nil
}

func (l *launch) close() {
	l.dropChildEnds()
	for _, fd := range []int{l.sync, l.reports} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// receive takes the seccomp listener from the child.
func (l *launch) receive() (int, error) {
	var one [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	n, oobn, err := recvmsg(l.sync, one[:], oob)
	if err != nil {
		return -1, err
	}
	if n == 0 {
		return -1, io.ErrUnexpectedEOF
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return -1, fmt.Errorf("%d control messages: %w", len(messages), unix.EPROTO)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("%d descriptors: %w", len(fds), unix.EPROTO)
	}
	return fds[0], nil
}

func recvmsg(fd int, p, oob []byte) (n, oobn int, err error) {
	for {
		n, oobn, _, _, err = unix.Recvmsg(fd, p, oob, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			return n, oobn, err
		}
	}
}

// failure waits until the child has reported a row, or has closed the pipe by its exec.
func (l *launch) failure(program *Program) error {
	var f failure
	buf := unsafe.Slice((*byte)(unsafe.Pointer(&f)), unsafe.Sizeof(f))
	for {
		n, err := unix.Read(l.reports, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return cannotBuild("wait for its report: %w", err)
		case n == 0:
			return nil
		case n != len(buf) || int(f.Row) >= len(program.Steps):
			return cannotBuild("its report is garbled: %w", unix.EPROTO)
		}
		s := program.Steps[f.Row]
		return explain(&jail.StepError{Layer: s.Layer, Step: s.Name, Errno: syscall.Errno(f.Errno)})
	}
}
