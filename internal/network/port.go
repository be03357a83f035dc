package network

import (
	"errors"
	"fmt"
)

// Port is what the bridge and the host do with what passes on a card.
type Port struct {
	VLAN     int  `json:"vlan,omitempty"`     // that the guest is in, without a tag of its own
	Isolated bool `json:"isolated,omitempty"` // it hears none of the other isolated ports
	// RateIn and RateOut are bytes a second, to the guest and from it; 0 is no limit.
	RateIn  uint64 `json:"rate_in,omitempty"`
	RateOut uint64 `json:"rate_out,omitempty"`
}

// Errors of what a host cannot do to a port.
var (
	ErrNoVLANs    = errors.New("the bridge does not tell VLANs apart")
	ErrNoPolicing = errors.New("this kernel cannot limit what an interface receives")
	ErrNoShaping  = errors.New("this kernel cannot limit what an interface sends")
)

// String is for people.
func (p Port) String() string {
	text := ""
	add := func(format string, args ...any) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf(format, args...)
	}
	if p.VLAN > 0 {
		add("VLAN %d", p.VLAN)
	}
	if p.Isolated {
		add("isolated")
	}
	if p.RateIn > 0 {
		add("%d bytes a second to the guest", p.RateIn)
	}
	if p.RateOut > 0 {
		add("%d bytes a second from it", p.RateOut)
	}
	return text
}
