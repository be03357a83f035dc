package host

import "path"

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
	EnvStubs     = "SKEP_STUBS"     // no: QEMU has all of its libraries, those too that a cell does not reach
	EnvUIDBase   = "SKEP_UID_BASE"  // first uid of the cells' range
	EnvUIDCount  = "SKEP_UID_COUNT" // how many cells can run at once
)

// The directories of root.
var (
	SystemDirsLinux   = Dirs{Config: "/etc/skep", State: "/var/lib/skep", Run: "/var/run/skep"}
	SystemDirsFreeBSD = Dirs{Config: "/usr/local/etc/skep", State: "/var/db/skep", Run: "/var/run/skep"}
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
	DefaultUIDBase = 2_100_000_000
	DefaultCount   = 1000
	MaxCount       = 30_000
	MaxUID         = 1<<31 - 2

	// devfs ruleset numbers have 16 bits. Handbook and jail managers use small
	// ones.
	DefaultRulesetBase = 30_000
)

// Controllers are those that a cell is limited with, in the order in which
// they are told.
var Controllers = []string{"memory", "pids", "cpu"}

// CgroupFix is what gives a caller control groups with limits.
func CgroupFix(g Cgroup, euid int) string {
	switch {
	case euid != 0:
		return "systemd-run --user --scope -p Delegate=yes skep …"
	case g.Mode == CgroupNone && g.ReadOnly != "":
		return "mount -o remount,rw " + g.ReadOnly + "; in a container, ask its manager (docker: --privileged)"
	case g.Mode == CgroupNone && g.Closed:
		return "run skep where root may make control groups: on the host, or in a container that was given its own part of the tree"
	case g.Mode == CgroupNone:
		return "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
	case g.V2 != "" && len(g.V1) == 0:
		return "echo +memory +pids +cpu > " + path.Join(path.Dir(g.V2), "cgroup.subtree_control") + ", from a group without processes of its own"
	}
	return "mount the missing controllers: a cgroup v2 tree on /sys/fs/cgroup has them all"
}
