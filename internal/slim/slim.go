// Package slim makes a process small that has done most of what it will do.
package slim

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// waits is how much of a start waits in system calls at once: for a child to be made, for what it reports, and for the
// calls that hypervisor and worker ask about.
const waits = 3

// usual is what the runtime has for processors but in a start.
var usual = sync.OnceValue(func() int { return runtime.GOMAXPROCS(0) })

// settle is how long after a start its process is made as it stays: what ends sooner does not pay for it.
const settle = time.Second

// percent is how much garbage there may be outside of a start.
var percent atomic.Int64

// Start is for a start, and done for its end. Nothing is collected meanwhile: what a start leaves is less than a
// collection touches to find it. And the runtime takes a processor of its own back from a thread that waits in a
// system call only when it looks, which is every ten milliseconds in a process that has done little yet: on a host
// of two processors a start stood still for that long. So it has more until Down.
func Start() (done func()) {
	if usual() < waits {
		runtime.GOMAXPROCS(waits)
	}
	if was := debug.SetGCPercent(-1); was >= 0 {
		percent.Store(int64(was))
	}
	return func() {
		time.AfterFunc(settle, func() {
			if p := percent.Load(); p > 0 { // 0: GOGC=off, by whoever started this
				debug.SetGCPercent(int(p))
			}
		})
	}
}

// Down gives back what a keeper needed only to start: it has little to do from
// now on, and there may be hundreds of it. That is done when the last of the start is over and all is quiet.
func Down() {
	percent.Store(20)
	time.AfterFunc(settle, func() {
		debug.SetGCPercent(20)
		runtime.GOMAXPROCS(usual())
		Lessen()
		// What lies in pools, or has something to be done at its end, goes with the second collection.
		time.AfterFunc(settle, Lessen)
	})
}

// Lessen gives back what is not needed at this moment.
func Lessen() {
	debug.FreeOSMemory()
	dropProgram()
}

// Again makes the process small again and again, until done: what one request or one look around needs of the
// program stays otherwise until the process ends.
func Again(done <-chan struct{}, lessen func()) {
	t := time.NewTicker(often)
	defer t.Stop()
	for {
		select {
		case <-done:
			return
		case <-t.C:
			lessen()
		}
	}
}

// often is how often that is done: it takes some milliseconds each time.
const often = 30 * time.Second
