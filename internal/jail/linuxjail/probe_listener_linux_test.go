package linuxjail

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A process of which somebody has a listener gets EBUSY for another one, and the probe says so. This
// thread is that process: its filter has a listener that stays open.
func TestListenerOfAParent(t *testing.T) {
	answers := make(chan unix.Errno, 2)
	go onThrowawayThread(func() {
		answers <- loadListener()
		allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
		prog := &unix.SockFprog{Len: 1, Filter: &allow}
		fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
			unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(prog)))
		if errno == 0 {
			defer unix.Close(int(fd))
		}
		answers <- loadListener()
	})
	first, second := <-answers, <-answers
	if first == unix.EBUSY {
		t.Skip("somebody has a listener on this process")
	}
	if first != 0 || second != unix.EBUSY {
		t.Errorf("without a listener %v, with one %v", first, second)
	}
}
