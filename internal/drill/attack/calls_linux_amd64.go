package attack

import "golang.org/x/sys/unix"

// Calls that only this architecture has.
const (
	sysOpen      = unix.SYS_OPEN
	sysModifyLDT = unix.SYS_MODIFY_LDT
	sysIOPL      = unix.SYS_IOPL
	sysIOPerm    = unix.SYS_IOPERM
	sysFork      = unix.SYS_FORK
)
