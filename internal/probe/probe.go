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
	s, err := o.slots()
	if err != nil {
		return host.Facts{}, err
	}
	f := host.Facts{
		Version: host.FactsVersion,
		Arch:    runtime.GOARCH,
		CPUs:    runtime.NumCPU(),
		EUID:    os.Geteuid(),
		EGID:    os.Getegid(),
		Slots:   s,
	}
	if err := probe(ctx, o, &f); err != nil {
		return host.Facts{}, err
	}
	return f, nil
}
