package cli

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"skep/internal/store"
)

// progressAgain is how often a step that goes on is said to do so.
const progressAgain = 10 * time.Second

// progress says after a second, and then now and again, what is waited for, for
// how long yet, and what comes then. The returned function ends it. left is not
// said where it is not positive: its time is over, and what comes then is on
// its way.
func (u *ui) progress(what string, bound time.Duration, then string) (done func()) {
	end := time.Now().Add(bound)
	stop := make(chan struct{})
	go func() {
		for pause := time.Second; ; pause = progressAgain {
			select {
			case <-stop:
				return
			case <-time.After(pause):
				u.note("%s", progressLine(what, time.Until(end), then))
			}
		}
	}()
	return func() { close(stop) }
}

func progressLine(what string, left time.Duration, then string) string {
	if left = left.Round(time.Second); left <= 0 {
		return what + ": " + then
	}
	return fmt.Sprintf("%s: in %s %s", what, left, then)
}

// waitingFor is the progress of a cell that was told to end.
func (a *app) waitingFor(st *store.Store, name, do string) (done func()) {
	if do == "kill" {
		return a.progress("waiting for "+name+" to end", killWait, "its keeper is killed too")
	}
	s, _, err := st.ReadDetail(name)
	if err != nil || s.Cell == nil {
		return a.slow("waiting for %s to end", name)
	}
	return a.progress("waiting for "+name+" to power off", s.Cell.StopTimeout, "it is killed")
}

// stopOnce makes of stop one that also says how long the guest has, once.
func (a *app) stopOnce(name string, within time.Duration, stop func(who string)) (tell func(who string), done func()) {
	var once sync.Once
	end := func() {}
	var mu sync.Mutex
	tell = func(who string) {
		once.Do(func() {
			mu.Lock()
			defer mu.Unlock()
			end = a.progress("waiting for "+name+" to power off", within, "it is killed")
		})
		stop(who)
	}
	return tell, func() {
		once.Do(func() {}) // from now on it is too late to begin
		mu.Lock()
		defer mu.Unlock()
		end()
	}
}

// runHelp is what ~? lists in the console of skep run.
func runHelp(stopWithin time.Duration) string {
	return fmt.Sprintf(`~.  stop the guest: press its power button, and kill it after %s
~~  type a tilde
~?  this list
`, stopWithin)
}

// catchPipe has a write to a reader who has left fail, where it would end this
// process. The returned function ends that.
func catchPipe() (done func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGPIPE)
	return func() { signal.Stop(ch) }
}
