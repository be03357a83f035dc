package drill

import (
	"errors"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/plan"
)

// fit says whether this host can be drilled at all.
func fit(host.Facts) error { return nil }

// scratchTemplate: no cell of this host has a template.
func scratchTemplate(*cell.Cell, host.Facts, string) error { return errors.ErrUnsupported }

// substitute puts the attacker where the plan has bhyve, and changes nothing else: its file is in bhyve's
// place in the rootfs, among the libraries that bhyve would need.
func (d *drill) substitute(p *plan.Plan) {
	for _, b := range plan.Specs[*plan.Bhyve](p) {
		b.Argv, b.Loader = []string{Name}, nil
		for _, tree := range plan.Specs[*plan.JailRootfs](p) {
			for i := range tree.Files {
				if tree.Files[i].Inside == b.Path {
					tree.Files[i].Host = d.bait.Program
				}
			}
		}
	}
}
