//go:build !freebsd

package provision

import (
	"skep/internal/network"
	"skep/internal/plan"
)

// tapLink is what the kernel says of a tap.
func tapLink(t *plan.Tap) (network.Link, bool, error) { return network.LinkOf(t.Name) }
