package cli

import (
	"skep/internal/jail"
	"skep/internal/layer"
	"skep/internal/plan"
	"skep/internal/store"
)

// liveLayers asks the kernel, now, what the live process shows: everything that
// protects a cell can be seen from outside on this system.
func liveLayers(s store.State) []layer.Decision {
	if s.PID == 0 || s.Plan == nil || !jail.Lives(s.PID, s.PIDStart) {
		return nil
	}
	p, err := jail.FindPrison(plan.JailName(s.Name))
	if err != nil {
		return nil
	}
	program := jail.HostPath("")
	for _, h := range plan.Specs[*plan.Bhyve](s.Plan) {
		for _, t := range plan.Specs[*plan.Tree](s.Plan) {
			program = jail.HostPath(t.Path + h.Path)
			for _, f := range t.Files {
				if f.Room == h.Path {
					program = jail.HostPath(f.Host)
				}
			}
		}
	}
	return jail.Evidence(s.PID, p.JID, program)
}
