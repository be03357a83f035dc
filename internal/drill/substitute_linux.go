package drill

import (
	"context"

	"skep/internal/drill/attack"
	"skep/internal/drill/report"
	"skep/internal/host"
	"skep/internal/jail/linuxjail"
	"skep/internal/plan"
)

// fit says whether this host can be drilled at all.
func fit(host.Facts) error { return nil }

func (d *drill) substitute(p *plan.Plan) { substitute(p, d.bait.Program) }

// appear puts an attacker into the jail that the plan has.
func (d *drill) appear(ctx context.Context, phase string) (*attack.Fixture, error) {
	return d.arrive(ctx, d.harness.Spec, phase)
}

// arrive is enter, and prepare if the phase is the guest's.
func (d *drill) arrive(ctx context.Context, spec linuxjail.Spec, phase string) (*attack.Fixture, error) {
	s, err := d.enter(ctx, spec)
	if err != nil {
		return nil, err
	}
	s.KVM = s.OpenKVM() // of the start, as the guest's life may not
	if phase == report.PhaseRun {
		if err = s.Prepare(ctx); err != nil {
			s.Leave()
		}
	}
	return s, err
}
