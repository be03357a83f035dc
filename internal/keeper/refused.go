package keeper

import (
	"time"

	"skep/internal/jail"
	"skep/internal/provision"
)

// tellRefused is how long refused calls are collected before the state is
// written anew: a hypervisor that asks without end is no reason to write
// without end.
const tellRefused = time.Second

// countRefusals takes over what was counted, unless nobody counts.
func (k *Keeper) countRefusals(m provision.Machine) {
	if m.Refused() == nil {
		return
	}
	if r := m.Refusals(); len(r.Run)+len(r.Start) > 0 {
		k.state.Refused = &r
	}
}

// uncounted notes that the kernel refuses from here on: the keeper that was
// asked has died.
func (k *Keeper) uncounted() {
	if k.state.Jail == nil || len(k.state.Jail.Filters) == 0 {
		return
	}
	r := jail.Refusals{}
	if k.state.Refused != nil {
		r = *k.state.Refused
	}
	if r.Uncounted == "" {
		r.Uncounted = jail.NoKeeper
	}
	k.state.Refused = &r
}
