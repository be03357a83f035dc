package linuxjail

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Whoever ends a process may do so after another has: the number of its eventfd is somebody else's by then, who is
// neither written to nor closed.
func TestListenerIsReleasedOnce(t *testing.T) {
	const number = 200 // that nobody else is given meanwhile
	event := func() int {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		at, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, number)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	l := &listener{wake: event(), done: make(chan struct{})}
	close(l.done)
	l.release()
	other := event()
	defer unix.Close(other)
	if other != l.wake {
		t.Fatalf("the other one has the number %d, not %d", other, l.wake)
	}
	l.release()
	var b [8]byte
	if n, err := unix.Read(other, b[:]); err != unix.EAGAIN {
		t.Errorf("the other one was written to or closed: %d bytes, %v", n, err)
	}
}
