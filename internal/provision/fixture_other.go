//go:build !linux && !freebsd

package provision

// A Fixture is a cell whose resources are all acquired but for the hypervisor. There is none here.
type Fixture struct{}
