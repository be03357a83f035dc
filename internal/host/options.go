package host

import (
	"context"
	"os"
	"strconv"
	"time"

	"skep/internal/fault"
)

// Options say how to probe.
type Options struct {
	// Dirs override the three directories; what is empty comes from the
	// environment, then from the defaults of the system.
	Dirs Dirs
	// Getenv reads the environment; nil is os.Getenv.
	Getenv func(string) string
	// Account is the home of an account and Owner the owner of a directory; nil
	// asks this system.
	Account func(uid int) (home string, err error)
	Owner   func(path string) (uid int, err error)
	// TryKVM runs the built-in guest under KVM with the facts found so far. It
	// is called only where no earlier answer holds, and not at all when nil:
	// then KVM stays untried.
	TryKVM func(ctx context.Context, f Facts) Trial
	// TryTCG does the same under emulation, each time: it is what the doctor asks
	// for, to whom an earlier answer is none. KVM is tried anew then, too.
	TryTCG func(ctx context.Context, f Facts) Trial
	// AskFor is how long QEMU may take to say a word about itself; 0 is three
	// minutes.
	AskFor time.Duration
	// NoCache neither reads nor writes remembered facts.
	NoCache bool
}

// Trial is what a trial of KVM said.
type Trial struct {
	Works bool   `json:"works"`
	Why   string `json:"why,omitempty"` // why not
	Hint  string `json:"hint,omitempty"`
	CPU   string `json:"cpu,omitempty"` // the processor model that ran
	// Unsure: the trial itself failed, so this holds for now and is not
	// remembered. A full disk says nothing about KVM.
	Unsure bool `json:"-"`
}

// The environment variables that move things. They are an interface.
const (
	EnvConfigDir = "SKEP_CONFIG_DIR"
	EnvStateDir  = "SKEP_STATE_DIR"
	EnvRunDir    = "SKEP_RUN_DIR"
	EnvQEMU      = "SKEP_QEMU"      // the hypervisor of a Linux host, by path
	EnvUIDBase   = "SKEP_UID_BASE"  // first uid of the cells' range
	EnvUIDCount  = "SKEP_UID_COUNT" // how many cells can run at once
)

func (o Options) env(name string) string {
	if o.Getenv == nil {
		return os.Getenv(name)
	}
	return o.Getenv(name)
}

// The directories of root.
var (
	systemDirsLinux   = Dirs{Config: "/etc/skep", State: "/var/lib/skep", Run: "/var/run/skep"}
	systemDirsFreeBSD = Dirs{Config: "/usr/local/etc/skep", State: "/var/db/skep", Run: "/var/run/skep"}
)

// The range of uids, one for each slot.
//
// No numbers are reserved for such a use, so the range keeps clear of those
// that others hand out: users and daemons below 65536, subordinate ids of
// useradd(8) from 100000 to 600100000, containers of systemd from 524288 to
// 1879048191, directory services (FreeIPA, SSSD) from 200000 to 2000200000,
// systemd's foreign ids from 2147352576. It also stays below 2^31, beyond which
// some programs see negative numbers.
const (
	defaultUIDBase = 2_100_000_000
	defaultCount   = 1000
	maxCount       = 30_000
	maxUID         = 1<<31 - 2

	// devfs ruleset numbers have 16 bits. Handbook and jail managers use small
	// ones.
	defaultRulesetBase = 30_000
)

// slots settles the numbers of cells.
func (o Options) slots() (Slots, error) {
	s := Slots{Count: defaultCount, UIDBase: defaultUIDBase}
	for _, v := range []struct {
		name     string
		at       *int
		min, max int
	}{
		{EnvUIDBase, &s.UIDBase, 65536, maxUID},
		{EnvUIDCount, &s.Count, 1, maxCount},
	} {
		text := o.env(v.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < v.min || n > v.max {
			return s, fault.New(fault.Input, "", "use %s=%q: a number from %d to %d is needed", v.name, text, v.min, v.max)
		}
		*v.at = n
	}
	if s.UIDBase+s.Count-1 > maxUID {
		return s, fault.New(fault.Input, "lower one of the two", "use %s=%d with %s=%d: the range ends above %d",
			EnvUIDBase, s.UIDBase, EnvUIDCount, s.Count, maxUID)
	}
	return s, nil
}
