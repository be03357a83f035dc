package freebsdjail

import (
	"fmt"
	"os"
	"os/signal"
	"unsafe"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
)

// Confinement is what a process of skep's puts on itself before it reads what is hostile.
type Confinement struct {
	// JID is the jail that it enters; 0 is none, for a caller that may not make one.
	JID      int          `json:"jid,omitempty"`
	UID      int          `json:"uid,omitempty"`
	GID      int          `json:"gid,omitempty"`
	Limits   []jail.Limit `json:"limits,omitempty"`
	Keep     int          `json:"keep"`     // descriptors from 3 on that stay open
	Capsicum bool         `json:"capsicum"` // capability mode: no name of any kind leads anywhere
	// Rights are what descriptors are good for from then on, by their numbers, as Limited names them.
	Rights map[int]string `json:"rights,omitempty"`
	// Lack is what is left out on purpose, to measure what it is good for.
	Lack Lack `json:"lack,omitzero"`
}

// procPdeathsigCtl is PROC_PDEATHSIG_CTL of sys/sys/procctl.h: the signal that a process gets when its
// parent has ended.
const procPdeathsigCtl = 11

// Confine puts it on. Nothing of it can be taken off again.
func (c Confinement) Confine() error {
	if !c.Lack.Controls {
		if err := harden(); err != nil {
			return fmt.Errorf("harden: %w", err)
		}
	}
	if err := endWithParent(); err != nil {
		return fmt.Errorf("procctl(2) pdeathsig: %w", err)
	}
	if !c.Lack.ClosedFDs {
		closeInherited(launcherFD + c.Keep)
	} else if c.JID != 0 {
		closeDirectories()
	}
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT)
	if c.JID != 0 || c.Lack.Jail() {
		o := command{UID: c.UID, GID: c.GID}
		if err := o.settle(); err != nil {
			return fmt.Errorf("take its groups: %w", err)
		}
		o.JID, o.Lack = c.JID, c.Lack
		if err := o.enter(); err != nil {
			return fmt.Errorf("enter the jail: %w", err)
		}
		if err := unix.Setresuid(c.UID, c.UID, c.UID); err != nil {
			return fmt.Errorf("take its user: %w", err)
		}
	}
	for _, l := range c.Limits {
		if err := limit(l); err != nil {
			return fmt.Errorf("limit %s: %w", l.Name, err)
		}
	}
	for fd, names := range c.Rights {
		if err := narrow(fd, names); err != nil {
			return fmt.Errorf("limit descriptor %d: %w", fd, err)
		}
	}
	if c.Capsicum {
		if _, _, errno := unix.RawSyscall(unix.SYS_CAP_ENTER, 0, 0, 0); errno != 0 {
			return fmt.Errorf("enter capability mode: %w", errno)
		}
	}
	return nil
}

// endWithParent has the kernel end this process, and the program that it becomes, when its parent ends.
func endWithParent() error {
	kill := int32(unix.SIGKILL)
	if err := procctl(0, procPdeathsigCtl, &kill); err != nil {
		return err
	}
	if unix.Getppid() == 1 {
		return unix.ECANCELED // it has ended already
	}
	return nil
}

// Exec becomes another program of the jail's.
func Exec(path string, argv []string) error {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	args := make([]*byte, len(argv)+1)
	for i, a := range argv {
		if args[i], err = unix.BytePtrFromString(a); err != nil {
			return err
		}
	}
	env := []*byte{nil}
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0])))
	return errno
}

// ExecDescriptor becomes the program that is open there, which is closed by that.
func ExecDescriptor(fd int, argv ...string) error {
	unix.CloseOnExec(fd)
	args := make([]*byte, len(argv)+1)
	var err error
	for i, a := range argv {
		if args[i], err = unix.BytePtrFromString(a); err != nil {
			return err
		}
	}
	env := []*byte{nil}
	_, _, errno := unix.RawSyscall(unix.SYS_FEXECVE, uintptr(fd), uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0])))
	return errno
}

// closeInherited closes what whoever started skep left open. The runtime's own descriptors are closed by an
// exec, and so can be told from those.
func closeInherited(from int) {
	// That of the poller is marked a moment after it was made, in whichever thread first needs one: here it is there.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	for fd := from; fd < inherited; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}
