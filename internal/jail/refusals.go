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
	// Run are those since the guest runs. A hypervisor as it was installed has no use for any of them,
	// or a row is missing in the table; one that was taken over may try them all.
	Run map[string]uint64 `json:"run,omitempty"`
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
	for _, c := range r.Run {
		n += c
	}
	return n
}

// Names are those of the run, the most often refused first, each with its count.
func (r *Refusals) Names() []string {
	if r == nil {
		return nil
	}
	names := slices.Sorted(maps.Keys(r.Run))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(r.Run[b], r.Run[a]) })
	for i, n := range names {
		names[i] = fmt.Sprintf("%s (%d)", n, r.Run[n])
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
	return refusals{seen: Refusals{Run: map[string]uint64{}, Start: map[string]uint64{}}, left: burst, changed: make(chan struct{}, 1)}
}

func (r *refusals) atStart(call string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen.Start[call]++
}

// inRun counts one. It is false from where on there are too many.
func (r *refusals) inRun(call string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.last.IsZero() {
		r.left = min(burst, r.left+now.Sub(r.last).Seconds()*perSecond)
	}
	r.last = now
	r.left--
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
	return Refusals{Run: maps.Clone(r.seen.Run), Start: maps.Clone(r.seen.Start), Uncounted: r.seen.Uncounted}
}
