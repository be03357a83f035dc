package keeper

import (
	"bytes"
	"runtime/pprof"
	"slices"
	"time"

	"skep/internal/fault"
)

// profiles are what a keeper says of itself, by the names of runtime/pprof. The socket is its own user's
// and root's alone. They are answered beside the state machine: it may be what is stuck.
var profiles = []string{"goroutine", "heap", "allocs", "block", "mutex", "threadcreate", "cpu"}

// cpuSpan is how long a cpu profile looks.
const cpuSpan = 5 * time.Second

// inspect answers a request for the stacks of all goroutines, as text, or for a profile. name says which.
func (k *Keeper) inspect(do, name string) ([]byte, error) {
	var out bytes.Buffer
	if do == doStacks {
		return finish(&out, pprof.Lookup("goroutine").WriteTo(&out, 2))
	}
	if !slices.Contains(profiles, name) {
		return nil, fault.New(fault.Input, "", "write the profile %.40q: there is no such one", name)
	}
	if name != "cpu" {
		return finish(&out, pprof.Lookup(name).WriteTo(&out, 0))
	}
	if err := pprof.StartCPUProfile(&out); err != nil {
		return nil, fault.Wrap(fault.Busy, err, "", "write a cpu profile")
	}
	select {
	case <-time.After(cpuSpan):
	case <-k.finished:
	}
	pprof.StopCPUProfile()
	return out.Bytes(), nil
}

func finish(out *bytes.Buffer, err error) ([]byte, error) {
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "write a profile")
	}
	return out.Bytes(), nil
}

// Requests that are answered beside the state machine.
const (
	doStacks  = "stacks"
	doProfile = "profile"
)

// Profiles are the names that a profile can be asked for by.
func Profiles() []string { return slices.Clone(profiles) }
