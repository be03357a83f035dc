package attack

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/drill/bait"
	"skep/internal/jail/linuxjail"
	"skep/internal/layer"
	"skep/internal/plan"
)

// exhaustionAttempts use up what the host has. Each goes a little over what the plan grants and no
// further. The neighbour has to answer after each of them.
var exhaustionAttempts = []Attempt{
	{ID: "threads", Tries: "start threads without end",
		By: "cgroup-pids rlimits", Want: "EAGAIN", Needs: granted(layer.CgroupPids, layer.RLimits), Do: well(threads), Fresh: true},
	{ID: "processes", Tries: "start processes without end",
		By: "cgroup-pids rlimits seccomp", Want: "EPERM", Do: well(processes), Fresh: true},
	{ID: "memory", Tries: "use memory without end",
		By: "cgroup-memory", Want: "killed", Single: "nothing else counts all memory", Needs: granted(layer.CgroupMemory), Do: well(useMemory), Fresh: true},
	{ID: "descriptors", Tries: "open descriptors without end",
		By: "rlimits", Want: "EMFILE", Single: "nothing else counts descriptors", Do: well(descriptors), Fresh: true},
	{ID: "processor", Tries: "use more of the processor than it may",
		By: "cgroup-cpu", Want: "throttled", Single: "nothing else counts time", Needs: granted(layer.CgroupCPU), Do: well(processor)},
	{ID: "console-log", Tries: "fill the host's disk by way of the console's log",
		Early: "files get their bound when the guest is prepared; before that it is the size of the buffer of TCG, and the keeper cuts the log",
		By:    "rlimits", Want: "EFBIG | cut", Needs: needHanded("console-log"), Single: "the keeper cuts the log too, but only ten times a second", Do: well(flood("console-log", func(s *Fixture) uint64 { return uint64(handed("console-log")(s).(int)) }))},
	{ID: "hypervisor-log", Tries: "fill it by way of the hypervisor's words",
		By: "", Want: "cut | EAGAIN", Needs: needHanded("console-log"), NoControl: "the keeper, which is no layer, drops what comes faster than the log is cut", Do: well(flood("hypervisor-log", func(*Fixture) uint64 { return 2 }))},
	{ID: "disk", Tries: "let a disk of its own grow",
		Early: "files get their bound when the guest is prepared; it is an image of its own",
		By:    "rlimits", Want: "EFBIG", Single: "the image is its own; only its size is bounded", Needs: needDisk, Do: well(growDisk)},
}

// granted leaves an attempt out where this host gives the caller none of the layers that would bound
// it: that is told at each start, and is no escape.
func granted(any ...layer.ID) func(*Fixture) (string, bool) {
	return func(s *Fixture) (string, bool) {
		for _, id := range any {
			if s.on(id) || s.Measuring && s.Keeper == nil { // a worker has none of the control groups' in any measurement
				return "", true
			}
		}
		return fmt.Sprintf("the layer %s is not to be had here", any[0]), false
	}
}

func (s *Fixture) jailPlan() *plan.Jail { return plan.Specs[*plan.Jail](s.Plan)[0] }

// wide are the numbers that a peer has to stop at: it may bound what it runs less closely than a cell,
// as its programs are of every kind, and what is tried is whether it bounds it at all.
var wide = map[string]int{"nproc": 1024, "nofile": 4096}

func (s *Fixture) limit(name string) int {
	if s.Jailed == nil {
		return wide[name]
	}
	if s.Card != nil { // that of its own jail, and not the hypervisor's
		for _, l := range s.Spec.Limits {
			if l.Name == name {
				return int(l.Value)
			}
		}
	}
	for _, l := range s.jailPlan().Rlimits {
		if l.Name == name {
			return int(l.Value)
		}
	}
	return 0
}

// threadFlags are those that the filter lets pass: CLONE_VM|FS|FILES|SIGHAND|THREAD|SYSVSEM|SETTLS|
// PARENT_SETTID|CHILD_CLEARTID.
const threadFlags = 0x3d0f00

func threads(s *Fixture) Outcome {
	most := s.limit("nproc")
	id := s.put(make([]byte, 16))
	return s.until(most, func() result { return s.via(thenStay, unix.SYS_CLONE, threadFlags, 0, id, id, 0) })
}

func processes(s *Fixture) Outcome {
	return s.until(s.limit("nproc"), func() result { return s.via(thenStay, unix.SYS_CLONE, uint64(unix.SIGCHLD), 0, 0, 0, 0) })
}

func descriptors(s *Fixture) Outcome {
	return s.until(s.limit("nofile"), func() result { return s.call(unix.SYS_EVENTFD2, 0, 0) })
}

// useMemory goes over the bound of the control group by a quarter of it.
func useMemory(s *Fixture) Outcome {
	const chunk = 8 << 20
	bound := int(TwinMemory + TwinOverhead)
	return s.until(bound*5/4/chunk, func() result {
		return s.call(unix.SYS_MMAP, 0, chunk, rw, anonymous|unix.MAP_POPULATE, none, 0)
	})
}

// processor has the kernel work for a while and looks at the time it used.
func processor(s *Fixture) Outcome {
	const (
		chunk = scratchSize
		span  = 700 * time.Millisecond
	)
	buf := s.scratch
	before, began := processorTime(s.Proc.Pid()), time.Now()
	for time.Since(began) < span {
		if r := s.call(unix.SYS_GETRANDOM, buf, chunk, 0); r.gone || r.errno != 0 {
			return attempt{}.judge(r)
		}
	}
	share := float64(processorTime(s.Proc.Pid())-before) / float64(time.Since(began))
	// The bound is per 100 ms, and the first may be gone already.
	if most := float64(TwinCPU)/100 + 0.15; share > most {
		return escaped(fmt.Sprintf("it used %.0f%% of a processor", 100*share))
	}
	return stopped("throttled")
}

// processorTime is fields 14 and 15 of /proc/PID/stat, in hundredths of a second.
func processorTime(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	total := 0
	for _, f := range fields[11:13] {
		n, _ := strconv.Atoi(f)
		total += n
	}
	return time.Duration(total) * 10 * time.Millisecond
}

// flood writes to a log as fast as it can and looks at how large that gets.
func flood(name string, fd func(*Fixture) uint64) func(*Fixture) Outcome {
	return func(s *Fixture) Outcome {
		const (
			chunk = 256 << 10
			burst = 128 << 20 // written between two cuts where files may be large, as a disk is
		)
		var log *plan.Log
		for _, l := range plan.Specs[*plan.Log](s.Plan) {
			if l.Name == name {
				log = l
			}
		}
		if log == nil {
			return stopped(absent)
		}
		// Twice the bound while it is being cut is what the disk has to have room for.
		most := 2*int64(log.Max) + 1<<20
		if _, ok := diskFD(s); ok {
			most = burst
		}
		largest, last := int64(0), result{}
		for range (most + 32<<20) / chunk {
			last = s.call(unix.SYS_WRITE, fd(s), s.scratch, chunk)
			if info, err := os.Stat(log.Path); err == nil {
				largest = max(largest, info.Size())
			}
			if last.gone {
				break
			}
		}
		if largest > most {
			return escaped(fmt.Sprintf("the log grew to %d MiB, its bound is %d", largest>>20, int64(log.Max)>>20))
		}
		if last.gone || last.errno != 0 {
			return attempt{}.judge(last)
		}
		return stopped("cut")
	}
}

func diskFD(s *Fixture) (int, bool) {
	for i, fd := range s.Spec.FDs {
		if strings.HasPrefix(fd.Name, "disk:") {
			return linuxjail.FDNumber(i), true
		}
	}
	return 0, false
}

func needDisk(s *Fixture) (string, bool) {
	_, ok := diskFD(s)
	return "the cell has no disk", ok
}

// growDisk writes past the disk, and past the bound that all its files have: where there is a screen that
// is at least the size of a surface.
func growDisk(s *Fixture) Outcome {
	defer s.shrink()
	fd, _ := diskFD(s)
	return attempt{}.judge(s.call(unix.SYS_PWRITE64, fd, "x", 1, int(max(uint64(bait.DiskSize)+4096, s.Bound.Value))))
}
