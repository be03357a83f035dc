package linuxjail

import "golang.org/x/sys/unix"

// sysOpen is the old open(2).
const sysOpen = unix.SYS_OPEN
