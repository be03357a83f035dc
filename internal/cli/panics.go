package cli

import (
	"slices"

	"skep/internal/plan"
)

// panicsSeen says whether a panic of the guest's kernel is seen: QEMU's pvpanic
// device tells, where a driver of the guest's uses it. bhyve has no such device,
// and what stands on the console is the guest's word and proves nothing.
func panicsSeen(p *plan.Plan) string {
	for _, r := range p.Resources {
		if h, ok := r.Spec.(*plan.Hypervisor); ok && slices.Contains(h.Argv, "pvpanic") {
			return "seen where the guest has a driver for pvpanic loaded; not before that, and not without one"
		}
	}
	return "not seen: the guest has no pvpanic device"
}
