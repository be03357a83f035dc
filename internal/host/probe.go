package host

import (
	"context"
	"os"
	"runtime"
)

// Probe looks at this machine. It changes nothing on it but the remembered
// facts below Dirs.State. A part that is missing is a fact, not an error; an
// error is an environment that asks for the impossible, or a system that skep
// does not run on.
func Probe(ctx context.Context, o Options) (Facts, error) {
	s, err := o.slots()
	if err != nil {
		return Facts{}, err
	}
	f := Facts{
		Version: FactsVersion,
		Arch:    runtime.GOARCH,
		CPUs:    runtime.NumCPU(),
		EUID:    os.Geteuid(),
		EGID:    os.Getegid(),
		Slots:   s,
	}
	if err := probe(ctx, o, &f); err != nil {
		return Facts{}, err
	}
	return f, nil
}
