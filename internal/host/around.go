package host

import "strconv"

// Around is what this process was started in, as far as it stands in the way of
// a jail. What a shell, a container or an image for the network has set up is
// no fault of the kernel's, and no other kernel fixes it.
type Around struct {
	// Chroot: the root is not that of the mount namespace. The kernel then makes
	// no user namespace.
	Chroot bool `json:"chroot,omitempty"`
	// InitialRoot: the root is the one that the kernel was unpacked into, which
	// pivot_root(2) cannot replace.
	InitialRoot bool `json:"initial_root,omitempty"`
	// NoProc says why /proc is of no use; "" where it is of use.
	NoProc string `json:"no_proc,omitempty"`
	// NoNull says why /dev/null is of no use; "" where it is of use. No program can be started without.
	NoNull string `json:"no_null,omitempty"`
	// Filters is how many seccomp filters this process has inherited; 1 where
	// there are some and the kernel does not count them.
	Filters int `json:"filters,omitempty"`
	// Limits are this process's own hard limits by the names of prlimit(1),
	// without those that are unlimited. Nobody in a jail can raise them.
	Limits map[string]uint64 `json:"limits,omitempty"`
}

// A limitNeed is a limit of setrlimit(2) that a start needs.
type limitNeed struct {
	name, flag, what string
	// of is how much a host's cells need; one unit of ulimit's is so many bytes.
	of   func(f Facts, processes, files int) uint64
	unit uint64
}

// smallFile holds journal, state and logs of a cell that has no disk.
const smallFile = 16 << 20

var limitNeeds = []limitNeed{
	{"nofile", "-n", "files can be open at once", func(f Facts, _, files int) uint64 {
		return uint64(max(files, roomFiles(f)))
	}, 1},
	{"nproc", "-u", "processes and threads can run", func(_ Facts, processes, _ int) uint64 { return uint64(processes) }, 1},
	{"fsize", "-f", "bytes can be in a file", func(Facts, int, int) uint64 { return smallFile }, 1024},
	{"as", "-v", "bytes of addresses can be used", func(Facts, int, int) uint64 { return 4 << 30 }, 1024},
}

// roomFiles is how many descriptors the keeper holds while it fills a room: one
// for each file of the hypervisor's, and some of its own.
func roomFiles(f Facts) int {
	const own = 64
	if f.Linux == nil || f.Linux.QEMU == nil {
		return own
	}
	q := f.Linux.QEMU
	n := own + len(q.Files) + len(q.TCG)
	for _, files := range q.Modules {
		n += len(files)
	}
	return n
}

// shortLimit is the first limit that is too low for a cell with so many
// processes and open files, and how to raise it.
func shortLimit(f Facts, processes, files int) (why, fix string) {
	if f.Linux == nil {
		return "", ""
	}
	for _, n := range limitNeeds {
		have, limited := f.Linux.Around.Limits[n.name]
		if need := n.of(f, processes, files); limited && have < need {
			shown := strconv.FormatUint((need+n.unit-1)/n.unit, 10)
			return "only " + strconv.FormatUint(have, 10) + " " + n.what + " (ulimit " + n.flag + "), and " + strconv.FormatUint(need, 10) + " are needed",
				"ulimit " + n.flag + " " + shown + " as root, or Limit" + systemdLimits[n.name] + "= of the unit that starts skep, or limits.conf(5), then log in again"
		}
	}
	return "", ""
}

// systemdLimits are systemd.exec(5)'s names.
var systemdLimits = map[string]string{"nofile": "NOFILE", "nproc": "NPROC", "fsize": "FSIZE", "as": "AS"}
