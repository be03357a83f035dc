package freebsdjail

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands and values of procctl(2), sys/sys/procctl.h.
const (
	procTraceCtl, procTraceStatus           = 7, 8
	procASLRCtl, procASLRStatus             = 13, 14
	procNoNewPrivsCtl, procNoNewPrivsStatus = 19, 20
	procWXMapCtl, procWXMapStatus           = 21, 22

	traceDisableExec         = 3 // plain disable, 2, is lost at exec
	aslrForceEnable          = 1
	noNewPrivsEnable         = 1
	wxDisallowExec           = 2
	idTypePID        uintptr = 0 // P_PID
)

// procctl sets or asks one thing of a process; pid 0 is the caller.
func procctl(pid, command int, value *int32) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PROCCTL, idTypePID, uintptr(pid), uintptr(command), uintptr(unsafe.Pointer(value)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// hardening is what is asked of the kernel before bhyve's first instruction.
// All of it is inherited by exec, and by what bhyve starts.
var hardening = []struct {
	name    string
	command int
	value   int32
	since   string // the first FreeBSD that has it
}{
	{"aslr", procASLRCtl, aslrForceEnable, "13.0"},
	{"wxmap", procWXMapCtl, wxDisallowExec, "13.1"},
	{"no-new-privs", procNoNewPrivsCtl, noNewPrivsEnable, "13.1"},
	{"trace", procTraceCtl, traceDisableExec, "10.2"},
}

// harden asks for all of it, of the caller itself. One that the kernel does not
// know stops the start: there is no half of it.
func harden() error {
	for _, h := range hardening {
		v := h.value
		if err := procctl(0, h.command, &v); err != nil {
			return fmt.Errorf("procctl(2) %s (FreeBSD %s): %w", h.name, h.since, err)
		}
	}
	return nil
}

// Harden is that, for a process that becomes another program before it is confined: W^X and ASLR begin with that.
func Harden() error { return harden() }
