package linuxjail

import (
	"math"
	"os"
	"strconv"
	"strings"
)

// limitNames are the lines of /proc/PID/limits by their names in prlimit(1).
var limitNames = map[string]string{
	"Max address space": "as", "Max core file size": "core", "Max cpu time": "cpu", "Max data size": "data",
	"Max file size": "fsize", "Max file locks": "locks", "Max locked memory": "memlock", "Max msgqueue size": "msgqueue",
	"Max nice priority": "nice", "Max open files": "nofile", "Max processes": "nproc", "Max resident set": "rss",
	"Max realtime priority": "rtprio", "Max realtime timeout": "rttime", "Max pending signals": "sigpending", "Max stack size": "stack",
}

// Rlimits are the resource limits of a process, soft and hard, by the names of prlimit(1); unlimited is
// the largest number. It is empty where they cannot be read.
func Rlimits(pid int) map[string][2]uint64 {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/limits")
	all := map[string][2]uint64{}
	for line := range strings.Lines(string(b)) {
		for long, short := range limitNames {
			rest, ok := strings.CutPrefix(line, long+" ")
			f := strings.Fields(rest)
			if !ok || len(f) < 2 {
				continue
			}
			all[short] = [2]uint64{limitOf(f[0]), limitOf(f[1])}
		}
	}
	return all
}

func limitOf(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return math.MaxUint64 // "unlimited"
	}
	return n
}

// GroupsIn are the control groups of a process or thread, from its file of /proc/PID/cgroup: by v1
// controller, or "v2"; cgroups(7).
func GroupsIn(path string) map[string]string {
	b, _ := os.ReadFile(path)
	m := map[string]string{}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 {
			continue
		}
		if f[0] == "0" && f[1] == "" {
			m["v2"] = f[2]
			continue
		}
		for _, c := range strings.Split(f[1], ",") {
			m[c] = f[2]
		}
	}
	return m
}
