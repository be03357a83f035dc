package linuxjail

import (
	"maps"
	"sync"
	"time"

	"skep/internal/jail"
)

// How many refusals are counted.
const (
	burst     = 1000 // refusals that are counted however fast they come
	perSecond = 5    // and on the average of the guest's life
)

// refusals counts, within a bound: each costs the keeper a little, and a guest must not be able to buy
// much of the host's time so.
type refusals struct {
	mu      sync.Mutex
	seen    jail.Refusals
	left    float64 // of the burst
	last    time.Time
	changed chan struct{}
}

func newRefusals() refusals {
	seen := jail.Refusals{Run: map[string]uint64{}, Expected: map[string]uint64{}, Start: map[string]uint64{}}
	return refusals{seen: seen, left: burst, changed: make(chan struct{}, 1)}
}

func (r *refusals) atStart(call string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen.Start[call]++
}

// inRun counts one; expected says whether it means nothing where so many of its name meant nothing
// before. It is false from where on there are too many.
func (r *refusals) inRun(call string, expected func(seen uint64) bool, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.last.IsZero() {
		r.left = min(burst, r.left+now.Sub(r.last).Seconds()*perSecond)
	}
	r.last = now
	r.left--
	if expected(r.seen.Expected[call]) {
		r.seen.Expected[call]++
	}
	if r.seen.Run[call]++; r.left < 0 {
		r.seen.Uncounted = jail.TooOften
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return r.left >= 0
}

func (r *refusals) copy() jail.Refusals {
	r.mu.Lock()
	defer r.mu.Unlock()
	return jail.Refusals{Run: maps.Clone(r.seen.Run), Expected: maps.Clone(r.seen.Expected),
		Start: maps.Clone(r.seen.Start), Uncounted: r.seen.Uncounted}
}
