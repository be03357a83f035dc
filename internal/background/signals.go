package background

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sameWish is how long after a signal another one says the same once more:
// timeout(1) sends one to its command and one to the command's group, and of a
// terminal that is closed both the kernel and the shell send SIGHUP.
const sameWish = time.Second

// Signals stops the guest at the first signal and kills it at the second. A
// terminal that is gone sends SIGHUP. SIGPIPE is caught so that a reader who
// has left does not end this process; the failed write tells.
func Signals(stop, kill func(who string)) (done func()) {
	ch := make(chan os.Signal, 4)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	over := make(chan struct{})
	go func() {
		var first time.Time
		for {
			select {
			case s := <-ch:
				switch {
				case s == syscall.SIGPIPE:
				case first.IsZero():
					first = time.Now()
					stop(signalName(s))
				case time.Since(first) >= sameWish:
					kill(signalName(s) + ", the second signal")
				}
			case <-over:
				return
			}
		}
	}()
	return func() { signal.Stop(ch); close(over) }
}

// signalName is a signal as kill(1) and the manual call it.
func signalName(s os.Signal) string {
	if n, ok := s.(syscall.Signal); ok {
		if name := unix.SignalName(n); name != "" {
			return name
		}
	}
	return s.String()
}
