package lifecycle

import (
	"time"

	"skep/internal/cell"
)

// budget counts starts and resets that nobody asked for. It is pure: the
// caller says what time it is.
type budget struct {
	max   cell.RestartMax
	times []time.Time
}

// The pauses between restarts: doubling from the first to the last, so that a
// hypervisor that dies at once does not spin.
const (
	firstPause = 500 * time.Millisecond
	lastPause  = time.Minute
)

// spend takes one start from the budget. It is false when there is none left
// within the window that ends now. A clock that jumped back makes entries lie
// in the future; they count as of now, so the budget can only be stricter.
func (b *budget) spend(now time.Time) bool {
	kept := make([]time.Time, 0, len(b.times)+1) // the caller may keep the budget from before
	for _, t := range b.times {
		if now.Sub(t) < b.max.Within {
			if t.After(now) {
				t = now
			}
			kept = append(kept, t)
		}
	}
	b.times = kept
	if len(b.times) >= b.max.Starts {
		return false
	}
	b.times = append(b.times, now)
	return true
}

// pause is how long to wait before the start that was just spent.
func (b *budget) pause() time.Duration {
	p := firstPause
	for i := 1; i < len(b.times) && p < lastPause; i++ {
		p *= 2
	}
	return min(p, lastPause)
}
