// Package probe finds out the facts of this machine, which package host decides over.
package probe

import (
	"context"
	"os"
	"runtime"

	"skep/internal/host"
)

// Probe looks at this machine. It changes nothing on it but the remembered
// facts below Dirs.State. A part that is missing is a fact, not an error; an
// error is an environment that asks for the impossible, or a system that skep
// does not run on.
func Probe(ctx context.Context, o Options) (host.Facts, error) {
	f, err := first(o)
	if err != nil {
		return f, err
	}
	if err := probe(ctx, o, &f); err != nil {
		return host.Facts{}, err
	}
	return f, nil
}

// ForTools looks at this machine for what the jail of a tool needs: who it can be, and which layers there
// are. Nothing is asked of a hypervisor.
func ForTools(o Options) (host.Facts, error) {
	f, err := first(o)
	if err != nil {
		return f, err
	}
	probeTools(o, &f)
	return f, nil
}

// first is what every system tells.
func first(o Options) (host.Facts, error) {
	s, err := o.slots()
	if err != nil {
		return host.Facts{}, err
	}
	return host.Facts{
		Version: host.FactsVersion,
		Arch:    runtime.GOARCH,
		CPUs:    runtime.NumCPU(),
		EUID:    os.Geteuid(),
		EGID:    os.Getegid(),
		Slots:   s,
	}, nil
}
