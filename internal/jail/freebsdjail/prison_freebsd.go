package freebsdjail

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"skep/internal/jailparam"
)

// Flags of jail_set(2) and jail_get(2), sys/sys/jail.h.
const (
	jailCreate = 0x01
	jailUpdate = 0x02
	jailDying  = 0x08
)

// maxPath is MAXPATHLEN, which every path of a jail fits.
const maxPath = 1024

// Prison is a jail that there is. It is FreeBSD's own word for it.
type Prison struct {
	JID  int
	Path string
	// Dying: it is removed, and something still refers to it, such as a socket
	// in TIME_WAIT. It has no process and can get none.
	Dying bool
}

// ErrNoPrison is returned where there is no jail of a name.
var ErrNoPrison = errors.New("there is no such jail")

// CreatePrison makes a jail with exactly these parameters.
//
// It is jail_set(2) and not jail(8), because the kernel then says in words what
// it did not like, and because nothing else is run, mounted or read: no
// jail.conf(5), no exec.* and no defaults of a command.
func CreatePrison(params []jailparam.Param) (jid int, err error) {
	return set(params, jailCreate)
}

// UpdatePrison changes parameters of a jail that lives.
func UpdatePrison(jid int, params ...jailparam.Param) error {
	_, err := set(append([]jailparam.Param{jailparam.Int("jid", int32(jid))}, params...), jailUpdate)
	return err
}

func set(params []jailparam.Param, flags uintptr) (int, error) {
	iov, err := jailparam.Encode(params)
	if err != nil {
		return 0, err
	}
	said := make([]byte, jailparam.ErrorSize)
	iov = append(iov, []byte("errmsg\x00"), said)
	jid, errno := vector(unix.SYS_JAIL_SET, iov, flags)
	if errno != 0 {
		if words := unix.ByteSliceToString(said); words != "" {
			return 0, fmt.Errorf("jail_set(2): %s: %w", words, errno)
		}
		return 0, fmt.Errorf("jail_set(2): %w", errno)
	}
	return jid, nil
}

// FindPrison looks a jail up by its name, a dying one too.
func FindPrison(name string) (Prison, error) {
	path, dying := make([]byte, maxPath), make([]byte, 4)
	jid, errno := vector(unix.SYS_JAIL_GET, [][]byte{
		[]byte("name\x00"), []byte(name + "\x00"),
		[]byte("path\x00"), path,
		[]byte("dying\x00"), dying,
	}, jailDying)
	switch errno {
	case 0:
	case unix.ENOENT:
		return Prison{}, ErrNoPrison
	default:
		return Prison{}, fmt.Errorf("jail_get(2) of %s: %w", name, errno)
	}
	return Prison{JID: jid, Path: unix.ByteSliceToString(path), Dying: dying[0] != 0}, nil
}

// Permission reads one allow.* parameter of a jail.
func Permission(jid int, name string) (bool, error) {
	on := make([]byte, 4)
	id := []byte{byte(jid), byte(jid >> 8), byte(jid >> 16), byte(jid >> 24)}
	if _, errno := vector(unix.SYS_JAIL_GET, [][]byte{[]byte("jid\x00"), id, []byte(name + "\x00"), on}, 0); errno != 0 {
		return false, fmt.Errorf("jail_get(2) of %s: %w", name, errno)
	}
	return on[0] != 0, nil
}

// RemovePrison kills every process of a jail and removes it. It returns before
// the last of them is gone.
func RemovePrison(jid int) error {
	_, _, errno := unix.Syscall(unix.SYS_JAIL_REMOVE, uintptr(jid), 0, 0)
	if errno == unix.EINVAL || errno == unix.ENOENT {
		return ErrNoPrison
	}
	if errno != 0 {
		return fmt.Errorf("jail_remove(2): %w", errno)
	}
	return nil
}

func attach(jid int) error {
	_, _, errno := unix.RawSyscall(unix.SYS_JAIL_ATTACH, uintptr(jid), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// vector makes a system call that takes a list of names and values.
func vector(trap uintptr, parts [][]byte, flags uintptr) (int, unix.Errno) {
	r, _, errno := vectored(trap, parts, flags)
	return r, errno
}

// lengths is vector for a call that says, of each part, how long it is.
func lengths(trap uintptr, parts [][]byte) ([]int, unix.Errno) {
	_, iov, errno := vectored(trap, parts, 0)
	all := make([]int, len(iov))
	for i := range iov {
		all[i] = int(iov[i].Len)
	}
	return all, errno
}

func vectored(trap uintptr, parts [][]byte, flags uintptr) (int, []unix.Iovec, unix.Errno) {
	iov := make([]unix.Iovec, len(parts))
	for i, p := range parts {
		if len(p) > 0 {
			iov[i].Base = &p[0]
		}
		iov[i].SetLen(len(p))
	}
	r, _, errno := unix.Syscall(trap, uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)), flags)
	runtime.KeepAlive(parts)
	return int(r), iov, errno
}
