package process

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// endedEvery is how often a watch looks whether it is to stop.
const endedEvery = 500 * time.Millisecond

// Ended is closed when a process has ended, whoever its parent is. done stops the watch.
func Ended(pid int) (ended <-chan struct{}, done func(), err error) {
	kq, err := unix.Kqueue()
	if err != nil {
		return nil, nil, err
	}
	unix.CloseOnExec(kq)
	var ev [1]unix.Kevent_t
	unix.SetKevent(&ev[0], pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	ev[0].Fflags = unix.NOTE_EXIT
	if _, err := unix.Kevent(kq, ev[:], nil, nil); err != nil {
		unix.Close(kq)
		return nil, nil, err
	}
	ch, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer unix.Close(kq)
		wait := unix.NsecToTimespec(int64(endedEvery))
		for {
			n, err := unix.Kevent(kq, nil, ev[:], &wait)
			switch {
			case n > 0:
				close(ch)
				return
			case err != nil && !errors.Is(err, unix.EINTR):
				return
			}
			select {
			case <-over:
				return
			default:
			}
		}
	}()
	return ch, func() { close(over) }, nil
}
