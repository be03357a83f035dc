package attack

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/jail/linuxjail"
	"skep/internal/plan"
)

// noBaseControl: what is open for reading stays so, with layers of the jail or without.
const noBaseControl = "the descriptor is open for reading, and no call makes it one for writing"

// earlyBound: until the guest is prepared the hypervisor has no bound on files, which TCG's buffer would need.
const earlyBound = "files get their bound when the guest is prepared; it is a layer of its own"

// layerAttempts are made in a cell with a layer: they reach for the base that it lies on, and for more
// of the host's disk than the layer may have. Before each the same call is made on the layer, which it
// may write to.
var layerAttempts = []Attempt{
	{ID: "base-write", Tries: "write to the base of its layer (pwrite)",
		By: "", Want: "EBADF", NoControl: noBaseControl, Needs: needBase,
		Do: code(onBase(func(s *Fixture, fd int) result { return s.call(unix.SYS_PWRITE64, fd, "x", 1, 4096) }))},
	{ID: "base-append", Tries: "the same by write(2), after a change of its flags",
		By: "", Want: "EBADF", NoControl: noBaseControl, Needs: needBase,
		Do: code(onBase(func(s *Fixture, fd int) result {
			s.call(unix.SYS_FCNTL, fd, unix.F_SETFL, unix.O_RDWR|unix.O_APPEND)
			defer s.call(unix.SYS_FCNTL, fd, unix.F_SETFL, 0)
			return s.call(unix.SYS_WRITE, fd, "x", 1)
		}))},
	{ID: "base-discard", Tries: "punch a hole into it",
		By: "", Want: "EBADF", NoControl: noBaseControl, Needs: needBase,
		Do: code(onBase(func(s *Fixture, fd int) result {
			return s.call(unix.SYS_FALLOCATE, fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096)
		}))},
	{ID: "base-map", Tries: "map it to write",
		By: "", Want: "EACCES", NoControl: noBaseControl, Needs: needBase,
		Do: code(onBase(func(s *Fixture, fd int) result { return s.call(unix.SYS_MMAP, 0, 4096, rw, unix.MAP_SHARED, fd, 0) }))},
	{ID: "base-truncate", Tries: "truncate it",
		By: "", Want: "EPERM | EINVAL", NoControl: noBaseControl, Needs: needBase,
		Do: code(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_FTRUNCATE, handedAs(s, "base:"), 512))
		})},
	{ID: "base-chmod", Tries: "let everybody write to it",
		By: "own-uid two-phases", Want: "EPERM", Needs: needBase,
		Do: code(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_FCHMOD, handedAs(s, "base:"), 0o600))
		})},
	{ID: "base-reopen", Tries: "open its descriptor of the base anew, to write",
		By: "private-root own-uid landlock two-phases", Want: "ENOENT | EPERM", Needs: needBase,
		Do: code(func(s *Fixture) Outcome {
			return open(fmt.Sprintf("/proc/self/fd/%d", handedAs(s, "base:")), unix.O_RDWR).do(s)
		})},
	{ID: "base-open", Tries: "open the base by its path, to write",
		By: "private-root own-uid landlock two-phases", Want: "ENOENT | EPERM", Needs: needBase,
		Do: open(late(func(s *Fixture) any { return plan.Specs[*plan.Layer](s.Plan)[0].Base }), unix.O_RDWR)},
	{ID: "layer-grow", Tries: "let its layer grow beyond limits.disk",
		Early: earlyBound,
		By:    "rlimits", Want: "EFBIG", Single: "the layer is its own; only its size is bounded", Needs: needLimit,
		Do: well(growLayer)},
	{ID: "layer-reserve", Tries: "the same by fallocate(2)",
		Early: earlyBound,
		By:    "rlimits", Want: "EFBIG", Single: "the layer is its own; only its size is bounded", Needs: needLimit,
		Do: well(reserveLayer(0))},
	{ID: "layer-keep", Tries: "reserve more for it and leave its size as it is (FALLOC_FL_KEEP_SIZE)",
		Early: earlyBound,
		By:    "two-phases", Want: "EPERM", Single: "no limit of the kernel counts it", Needs: needLimit,
		Do: well(reserveLayer(unix.FALLOC_FL_KEEP_SIZE))},
	{ID: "layer-of-other", Tries: "read another cell's layer",
		By: "private-root own-uid two-phases", Want: "ENOENT | EPERM", Needs: needOtherLayer,
		Do: open(late(func(s *Fixture) any { return neighbourPlan[*plan.Layer](s)[0].Path }), unix.O_RDONLY)},
	{ID: "layer-of-other-fd", Tries: "the same through the descriptors of that cell's hypervisor",
		By: "user-namespace private-root own-uid capabilities landlock two-phases", Want: "ENOENT | EPERM", Needs: needOtherLayer,
		Do: code(otherLayer)},
}

// handedAs is the number of the first descriptor whose name begins so, or -1.
func handedAs(s *Fixture, prefix string) int {
	for i, fd := range s.Spec.FDs {
		if strings.HasPrefix(fd.Name, prefix) {
			return linuxjail.FDNumber(i)
		}
	}
	return -1
}

func needBase(s *Fixture) (string, bool) {
	return "the cell has no layer", handedAs(s, "base:") >= 0
}

func needLimit(s *Fixture) (string, bool) {
	if why, ok := needBase(s); !ok {
		return why, false
	}
	return "the cell has no limits.disk", s.LimitDisk > 0
}

func needOtherLayer(s *Fixture) (string, bool) {
	return "the neighbour has no layer", s.Neighbour != nil && len(neighbourPlan[*plan.Layer](s)) > 0
}

// onBase makes a call on the layer, where it has to succeed, and on the base.
func onBase(call func(s *Fixture, fd int) result) func(*Fixture) Outcome {
	return func(s *Fixture) Outcome {
		if r := call(s, handedAs(s, "disk:")); r.gone || r.errno != 0 {
			return escaped("the call fails on its own layer too, which proves nothing: " + errnoName(r.errno))
		}
		return attempt{}.judge(call(s, handedAs(s, "base:")))
	}
}

// growLayer writes the byte behind the bound.
func growLayer(s *Fixture) Outcome {
	defer s.shrink()
	return attempt{}.judge(s.call(unix.SYS_PWRITE64, handedAs(s, "disk:"), "x", 1, uint64(s.LimitDisk)))
}

// reserveLayer has the file system reserve what lies behind it.
func reserveLayer(mode int) func(*Fixture) Outcome {
	return func(s *Fixture) Outcome {
		defer s.shrink()
		return attempt{}.judge(s.call(unix.SYS_FALLOCATE, handedAs(s, "disk:"), mode, uint64(s.LimitDisk), 4096))
	}
}

// shrink takes back what a layer has got, from outside, so that the next attempt begins as this one did.
func (s *Fixture) shrink() {
	for _, l := range plan.Specs[*plan.Layer](s.Plan) {
		_ = os.Truncate(l.Path, 1<<20)
	}
}

// otherLayer opens what that process has open, one after the other: QEMU gives its files other numbers
// than it was handed them by.
func otherLayer(s *Fixture) Outcome {
	last := stopped(absent)
	for fd := linuxjail.FirstFD; fd < 48; fd++ {
		if last = open(procFile(s.Neighbour.PID, fmt.Sprintf("fd/%d", fd)), unix.O_RDONLY).do(s); !last.Stopped {
			return last
		}
	}
	return last
}
