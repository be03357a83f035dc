package provision

import (
	"skep/internal/network"
	"skep/internal/plan"
)

// tapLink is what the kernel says of a tap, in whichever network stack it is.
func tapLink(t *plan.Tap) (network.Link, bool, error) {
	if t.Stack == "" {
		return network.LinkOf(t.Name)
	}
	_, socket, err := stackOf(t.Stack)
	if err != nil {
		return network.Link{}, false, err
	}
	return network.LinkIn(t.Name, socket)
}
