package freebsdjail

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where there is /dev/vmmctl (FreeBSD 15), VMs are made and destroyed by it, and every jail with
// allow.vmm may use it that can open it. A launcher opens it outside, and asks inside: a VM belongs to
// the credentials of whoever asks (vmmctl_ioctl in sys/dev/vmm/vmm_dev.c), so that it is the jail's, and
// the jail needs neither the node nor allow.suser. Where there is none, the sysctls do it, which are root's.

const vmmctlPath = "/dev/vmmctl"

// vmmName is VM_MAX_NAMELEN + 1 of sys/dev/vmm/vmm_param.h with a SPECNAMELEN of 255.
const vmmName = 230

// vmmRequest is struct vmmctl_vm_create and vmmctl_vm_destroy of sys/dev/vmm/vmm_dev.h.
type vmmRequest struct {
	name     [vmmName]byte
	_        [2]byte
	reserved [16]int32
}

const (
	vmmCreate  = 0xC0000000 | unsafe.Sizeof(vmmRequest{})<<16 | 'V'<<8 // number 0
	vmmDestroy = vmmCreate | 1
)

// vmmControl is an open /dev/vmmctl, or -1 where this kernel has none.
type vmmControl int

func openVMMControl() (vmmControl, error) {
	fd, err := unix.Open(vmmctlPath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	return vmmControl(fd), nil
}

func (c vmmControl) close() {
	if c >= 0 {
		unix.Close(int(c))
	}
}

func (c vmmControl) ask(request uintptr, name string) error {
	r := vmmRequest{}
	if len(name) >= len(r.name) {
		return unix.ENAMETOOLONG
	}
	copy(r.name[:], name)
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(c), request, uintptr(unsafe.Pointer(&r)))
	if errno != 0 {
		return errno
	}
	return nil
}

// create makes a VM that belongs to whoever the process is now.
func (c vmmControl) create(name string) error {
	if c < 0 {
		return setSysctl("hw.vmm.create", name)
	}
	return c.ask(vmmCreate, name)
}

// destroy ends a VM by its name. Called inside, it can only end one that was made inside: the kernel
// compares credentials.
func (c vmmControl) destroy(name string) error {
	if c < 0 {
		return setSysctl("hw.vmm.destroy", name)
	}
	return c.ask(vmmDestroy, name)
}
