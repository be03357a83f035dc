package jail

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
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
	TooOften = "it asked too often, and the kernel refuses uncounted since"
	NoKeeper = "its keeper died, and the kernel refuses uncounted since"
)
