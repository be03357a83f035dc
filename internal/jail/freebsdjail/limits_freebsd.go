package freebsdjail

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// allLimits are the resources of setrlimit(2), sys/sys/resource.h.
var allLimits = map[string]int{
	"cpu": 0, "fsize": 1, "data": 2, "stack": 3, "core": 4, "rss": 5, "memlock": 6, "nproc": 7, "nofile": 8, "sbsize": 9, "as": 10,
}

// Rlimits are the resource limits of a process, soft and hard: sysctl kern.proc.rlimit. One that cannot
// be read is not there.
func Rlimits(pid int) map[string][2]uint64 {
	all := map[string][2]uint64{}
	for name, n := range allLimits {
		if b, err := unix.SysctlRaw("kern.proc.rlimit", pid, n); err == nil && len(b) >= 16 {
			all[name] = [2]uint64{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
		}
	}
	return all
}
