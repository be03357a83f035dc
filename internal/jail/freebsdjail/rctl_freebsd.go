package freebsdjail

import (
	"fmt"
	"strings"
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

// Limits lists the rules that match, such as "jail:skep-web"; counted is false
// where the kernel counts nothing (kern.racct.enable is 0), and then there are
// none.
func Limits(filter string) (rules []string, counted bool, err error) {
	in, out := append([]byte(filter), 0), make([]byte, 64<<10)
	_, _, errno := unix.Syscall6(unix.SYS_RCTL_GET_RULES, uintptr(unsafe.Pointer(&in[0])), uintptr(len(in)), uintptr(unsafe.Pointer(&out[0])), uintptr(len(out)), 0, 0)
	switch errno {
	case 0:
	case unix.ENOSYS:
		return nil, false, nil
	case unix.ESRCH: // no subject of that name
		return nil, true, nil
	default:
		return nil, true, fmt.Errorf("rctl -l %s: %w", filter, errno)
	}
	if text := unix.ByteSliceToString(out); text != "" {
		rules = strings.Split(text, ",")
	}
	return rules, true, nil
}

func rctl(trap uintptr, text string) unix.Errno {
	b := append([]byte(text), 0)
	_, _, errno := unix.Syscall6(trap, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0, 0)
	return errno
}
