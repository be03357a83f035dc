package jail

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Refusals are calls that a hypervisor asked for and did not get, by name.
type Refusals struct {
	// Run are those since the guest runs.
	Run map[string]uint64 `json:"run,omitempty"`
	// Expected are how many of these mean nothing, by the table of expected refusals. For the others a
	// hypervisor as it was installed has no use, or a row is missing; one that was taken over may try all.
	Expected map[string]uint64 `json:"expected,omitempty"`
	// Start are those of the start, which banned them.
	Start map[string]uint64 `json:"start,omitempty"`
	// Uncounted says why there may have been more than that.
	Uncounted string `json:"uncounted,omitempty"`
}

// Total is how many calls of the run were refused.
func (r *Refusals) Total() (n uint64) {
	if r == nil {
		return 0
	}
	return Count(r.Run)
}

// Unexpected are the calls of the run that a person should look at, by name.
func (r *Refusals) Unexpected() map[string]uint64 {
	if r == nil {
		return nil
	}
	odd := map[string]uint64{}
	for name, n := range r.Run {
		if n > r.Expected[name] {
			odd[name] = n - r.Expected[name]
		}
	}
	return odd
}

// Count is how many calls there are in all.
func Count(calls map[string]uint64) (n uint64) {
	for _, c := range calls {
		n += c
	}
	return n
}

// Names are calls with their counts, the most often refused first.
func Names(calls map[string]uint64) []string {
	names := slices.Sorted(maps.Keys(calls))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(calls[b], calls[a]) })
	for i, n := range names {
		names[i] = fmt.Sprintf("%s (%d)", n, calls[n])
	}
	return names
}

// Why refusals are no longer counted.
const (
	TooOften  = "it asked too often, and the kernel refuses uncounted since"
	NoKeeper  = "its keeper died, and the kernel refuses uncounted since"
	burst     = 1000 // refusals that are counted however fast they come
	perSecond = 5    // and on the average of the guest's life
)

// refusals counts, within a bound: each costs the keeper a little, and a guest must not be able to buy
// much of the host's time so.
type refusals struct {
	mu      sync.Mutex
	seen    Refusals
	left    float64 // of the burst
	last    time.Time
	changed chan struct{}
}

func newRefusals() refusals {
	seen := Refusals{Run: map[string]uint64{}, Expected: map[string]uint64{}, Start: map[string]uint64{}}
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
		r.seen.Uncounted = TooOften
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return r.left >= 0
}

func (r *refusals) copy() Refusals {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Refusals{Run: maps.Clone(r.seen.Run), Expected: maps.Clone(r.seen.Expected),
		Start: maps.Clone(r.seen.Start), Uncounted: r.seen.Uncounted}
}
