package keeper

import (
	"skep/internal/jail"
	"skep/internal/plan"
)

// A Stage is a cell whose resources are all taken but for the hypervisor: what would be started
// now, and with what.
type Stage struct {
	Plan *plan.Plan
	Spec jail.Spec
	// Bound is what the keeper limits the hypervisor to once the guest is prepared.
	Bound jail.Limit
	// Started writes a process that was started here into the journal, so that a sweep ends it should
	// this one die. It may be called again for the next one.
	Started func(*jail.Process) error
}
