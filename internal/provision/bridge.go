package provision

import (
	"errors"
	"io/fs"

	"skep/internal/network"
	"skep/internal/plan"
)

// onBridge gives a card its tap. A bridge that skep made goes with the last cell on it, which may be leaving
// just as this one, having found the bridge, comes: it is made again then.
func onBridge(p *plan.Plan, s *plan.Tap, open func() (*network.Tap, error)) (*network.Tap, error) {
	for tries := 0; ; tries++ {
		tap, err := open()
		if err == nil || tries == bridgeTries || s.Admin || p == nil || errors.Is(err, network.ErrForeign) || errors.Is(err, fs.ErrPermission) {
			return tap, err
		}
		r, _ := p.Find("bridge:" + s.Bridge)
		b, ok := r.Spec.(*plan.Bridge)
		if !ok || !b.Create {
			return tap, err
		}
		if _, merr := network.MakeBridge(b.Name, b.Tag, b.Uplink, b.VLANs); merr != nil {
			return tap, err
		}
	}
}

// bridgeTries is how often a bridge is made again.
const bridgeTries = 5

// portOf is what is done with what passes on a tap.
func portOf(s *plan.Tap) network.Port {
	return network.Port{VLAN: s.VLAN, Isolated: s.Isolated, RateIn: uint64(s.RateIn), RateOut: uint64(s.RateOut)}
}
