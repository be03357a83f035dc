package jail

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// AddLimit adds one rule in the words of rctl(8), such as
// "jail:skep-web:maxproc:deny=8". rctl(8) itself only passes the text on.
func AddLimit(rule string) error {
	if errno := rctl(unix.SYS_RCTL_ADD_RULE, rule); errno != 0 {
		return fmt.Errorf("rctl -a %s: %w", rule, errno)
	}
	return nil
}

// RemoveLimits removes all rules that match, such as "jail:skep-web". None is
// no error.
func RemoveLimits(filter string) error {
	if errno := rctl(unix.SYS_RCTL_REMOVE_RULE, filter); errno != 0 && errno != unix.ESRCH && errno != unix.ENOSYS {
		return fmt.Errorf("rctl -r %s: %w", filter, errno)
	}
	return nil
}

func rctl(trap uintptr, text string) unix.Errno {
	b := append([]byte(text), 0)
	_, _, errno := unix.Syscall6(trap, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0, 0)
	return errno
}
