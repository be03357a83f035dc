package probe

import (
	"context"
	"os"
	"strconv"
	"time"

	"skep/internal/fault"
	"skep/internal/host"
)

// Options say how to probe.
type Options struct {
	// Dirs override the three directories; what is empty comes from the
	// environment, then from the defaults of the system.
	Dirs host.Dirs
	// Getenv reads the environment; nil is os.Getenv.
	Getenv func(string) string
	// Account is the home of an account and Owner the owner of a directory; nil
	// asks this system.
	Account func(uid int) (home string, err error)
	Owner   func(path string) (uid int, err error)
	// TryKVM runs the built-in guest under KVM with the facts found so far. It
	// is called only where no earlier answer holds, and not at all when nil:
	// then KVM stays untried.
	TryKVM func(ctx context.Context, f host.Facts) host.Trial
	// TryTCG does the same under emulation, each time: it is what the doctor asks
	// for, to whom an earlier answer is none. KVM is tried anew then, too.
	TryTCG func(ctx context.Context, f host.Facts) host.Trial
	// AskFor is how long QEMU may take to say a word about itself; 0 is three
	// minutes.
	AskFor time.Duration
	// CgroupParent is the control group below which cells are to have theirs: a path in the trees, or
	// host.CgroupAuto. "" is where this user may.
	CgroupParent string
	// NoCache neither reads nor writes remembered facts.
	NoCache bool
}

func (o Options) env(name string) string {
	if o.Getenv == nil {
		return os.Getenv(name)
	}
	return o.Getenv(name)
}

// slots settles the numbers of cells.
func (o Options) slots() (host.Slots, error) {
	s := host.Slots{Count: host.DefaultCount, UIDBase: host.DefaultUIDBase}
	for _, v := range []struct {
		name     string
		at       *int
		min, max int
	}{
		{host.EnvUIDBase, &s.UIDBase, 65536, host.MaxUID},
		{host.EnvUIDCount, &s.Count, 1, host.MaxCount},
	} {
		text := o.env(v.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < v.min || n > v.max {
			return s, fault.Fail(fault.Input, "", "%s must be a number from %d to %d, got %q", v.name, v.min, v.max, text)
		}
		*v.at = n
	}
	if s.UIDBase+s.Count-1 > host.MaxUID {
		return s, fault.New(fault.Input, "lower one of the two", "use %s=%d with %s=%d: the range ends above %d",
			host.EnvUIDBase, s.UIDBase, host.EnvUIDCount, s.Count, host.MaxUID)
	}
	return s, nil
}
