//go:build !linux && !freebsd

package worker

// ServeIfAsked: there are no cells here.
func ServeIfAsked() {}
