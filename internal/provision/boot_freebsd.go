package provision

import (
	"path/filepath"

	"skep/internal/cell"
	"skep/internal/devfsctl"
	"skep/internal/host"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/store"
)

// RememberRefused has nothing to remember: bhyve has one way to run a guest.
func RememberRefused(*cell.Cell, host.Facts) error { return nil }

// Bare is what of a cell can be found without its plan.
func Bare(s *store.Store, name string) []plan.Resource {
	root, j := filepath.Join(s.RunDir(name), layout.Root), plan.JailName(name)
	return []plan.Resource{
		{ID: "root", Spec: &plan.JailRootfs{Path: root}},
		{ID: "dev", Spec: &plan.DevMount{Path: filepath.Join(root, layout.Dev)}},
		{ID: "jail", Spec: &plan.Prison{Name: j, Path: root}},
		{ID: WorkerID, Spec: &plan.Worker{Jail: plan.WorkerJail(name), Root: filepath.Join(s.RunDir(name), layout.Worker)}},
		{ID: VMID, Spec: &plan.VM{Name: name}},
		{ID: HypervisorID, Spec: &plan.Bhyve{Jail: j}},
	}
}

// SlotBusy asks the kernel whether a slot's rule set is there already: another
// run directory's cell, or somebody else's jail. All of a host's cells meet
// there, as rule sets belong to the whole host.
func SlotBusy(p *plan.Plan) bool {
	m, err := devfsctl.Open("/dev")
	if err != nil {
		return false
	}
	defer m.Close()
	for _, s := range plan.Specs[*plan.Ruleset](p) {
		if rules, err := m.Rules(s.Number); err == nil && len(rules) > 0 {
			return true
		}
	}
	return false
}
