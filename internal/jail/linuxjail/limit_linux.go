package linuxjail

import (
	"fmt"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/layer"
)

// Limit narrows a resource limit of the live hypervisor, soft and hard. It is for what the start
// needs more of than the guest's life does.
func (p *Process) Limit(l jail.Limit) error {
	resource, ok := resources[l.Name]
	if !ok {
		return fmt.Errorf("cannot limit the hypervisor: there is no limit named %q", l.Name)
	}
	if !layer.On(p.Record().Layers, layer.RLimits) {
		return nil
	}
	// There is no such call on a pidfd. A number that has gone to another process in this instant
	// would be another user's, and refused, or root's only by the worst of luck.
	if err := unix.Prlimit(p.pid, int(resource), &unix.Rlimit{Cur: l.Value, Max: l.Value}, nil); err != nil {
		return fmt.Errorf("cannot limit the hypervisor: %s: %w", l.Name, err)
	}
	return nil
}
