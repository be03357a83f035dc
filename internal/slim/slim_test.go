package slim

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// A start has processors to spare and collects nothing; some time after it all is as before, or small where it was
// for a keeper in the background.
func TestStart(t *testing.T) {
	was := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(was)
	defer debug.SetGCPercent(debug.SetGCPercent(77))
	collects := func() int {
		p := debug.SetGCPercent(-1)
		debug.SetGCPercent(p)
		return p
	}
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			done := Start()
			if n := runtime.GOMAXPROCS(0); n < waits || collects() != -1 {
				t.Errorf("%d processors, collection at %d", n, collects())
			}
			if down {
				Down() // before the end of the start, as where the guest is said to run
			}
			done()
			time.Sleep(2 * settle)
			want, processors := 77, max(was, waits)
			if down {
				want, processors = 20, was
			}
			if collects() != want || runtime.GOMAXPROCS(0) != processors {
				t.Errorf("down %v: %d processors, collection at %d", down, runtime.GOMAXPROCS(0), collects())
			}
		})
	}
}
