package linuxjail

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notifyListener says whether a filter with a listener can be had. The kernel allows one listener in all the
// filters of a process (EBUSY): where a container manager has one on this, there is none for a cell.
func notifyListener() unix.Errno {
	if errno := seccompAction(unix.SECCOMP_RET_USER_NOTIF); errno != 0 {
		return errno
	}
	if !flagKnown(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		return unix.EINVAL
	}
	if mode, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_SECCOMP, 0, 0); errno == 0 && mode == 0 {
		return 0 // no filter is inherited, so no listener is
	}
	answer := make(chan unix.Errno)
	go onThrowawayThread(func() { answer <- loadListener() })
	return <-answer
}

// onThrowawayThread calls f on a thread that ends with it, and that is not the first of this process, which
// cannot end and whose filters are what others see of it.
func onThrowawayThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return // locked: the thread ends here
	}
	done := make(chan struct{})
	go func() { defer close(done); onThrowawayThread(f) }()
	<-done
	runtime.UnlockOSThread()
}

// loadListener gives this thread a filter that allows everything and has a listener, which is closed again.
func loadListener() unix.Errno {
	if errno := prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); errno != 0 {
		return errno
	}
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	prog := &unix.SockFprog{Len: 1, Filter: &allow}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(prog)))
	if errno == 0 {
		unix.Close(int(fd))
	}
	return errno
}
