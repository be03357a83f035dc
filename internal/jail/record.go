package jail

import (
	"skep/internal/layer"
	"skep/internal/network"
)

// Record is what the launcher did, for those who come later: much of it cannot be read from
// outside. It is written to the cell's state as JSON.
type Record struct {
	Layers      []layer.Decision `json:"layers"`
	Mapping     Mapping          `json:"mapping"`
	LandlockABI int              `json:"landlock_abi"`
	Filters     []FilterRecord   `json:"filters"`
	// Inherited counts the filters that the keeper has itself, from its unit or container: each of its
	// children has them, too.
	Inherited int `json:"inherited_filters,omitempty"`
	// RunCalls counts the calls that the guest's life may make, NeverCalls those that not even the start
	// may; Sealed says that the start is over.
	RunCalls   int  `json:"run_calls"`
	NeverCalls int  `json:"never_calls"`
	Sealed     bool `json:"sealed"`
	Steps      int  `json:"steps"`
	// MasksSignals: it does not take the signals that stop a whole group. One of an older skep does.
	MasksSignals bool `json:"masks_signals,omitempty"`
	// Bound: the kernel ends it when its keeper ends.
	Bound bool `json:"bound,omitempty"`
	// Limits are all resource limits, soft and hard, as they stood when the guest was prepared; some the
	// plan does not name: they follow from what its files come to, or are the keeper's own.
	Limits map[string][2]uint64 `json:"limits,omitempty"`
	// Cgroups are all control groups it was in then, on Linux: by v1 controller, or "v2".
	Cgroups map[string]string `json:"cgroups,omitempty"`
	// Links are the host's ends of its network cards, by label, and Standing how it was run (Linux), as
	// they were then.
	Links    map[string]network.Link `json:"links,omitempty"`
	Standing *Standing               `json:"standing,omitempty"`
}

// FilterCount is how many filters the kernel counts of it.
func (r Record) FilterCount() int { return len(r.Filters) + r.Inherited }

// FilterRecord identifies one seccomp filter by the SHA-256 of its instructions.
type FilterRecord struct {
	Name         string `json:"name"` // "calls"
	SHA256       string `json:"sha256"`
	Instructions int    `json:"instructions"`
}

// Exit is how the hypervisor ended. Seen is false where this process is not its parent and could
// only see that it is gone.
type Exit struct {
	Seen   bool `json:"seen"`
	Code   int  `json:"code"`
	Signal int  `json:"signal,omitempty"`
}
