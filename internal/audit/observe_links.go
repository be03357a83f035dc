//go:build linux || freebsd

package audit

import (
	"skep/internal/network"
	"skep/internal/plan"
)

// lookUp reads the interfaces that a plan names.
func (s *linksSeen) lookUp(p *plan.Plan) {
	if p == nil {
		return
	}
	s.Links, s.LinksErr = map[string]network.Link{}, map[string]string{}
	for _, t := range plan.Specs[*plan.Tap](p) {
		if t.Stack != "" {
			continue // see the stack
		}
		l, there, err := network.LinkOf(t.Name)
		switch {
		case err != nil:
			s.LinksErr[t.Name] = err.Error()
		case there:
			s.Links[t.Name] = l
		}
	}
}
