package provision

import (
	"skep/internal/network"
	"skep/internal/plan"
)

// linksOf are the host's ends of a cell's network cards, by label. What cannot be
// read is left out, and the audit says so.
func linksOf(p *plan.Plan) map[string]network.Link {
	all := map[string]network.Link{}
	for _, t := range plan.Specs[*plan.Tap](p) {
		if l, there, err := tapLink(t); err == nil && there {
			all[t.Label] = l
		}
	}
	return all
}
