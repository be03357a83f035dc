package attack

import (
	"slices"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/plan"
)

// exhaustionAttempts use up what the host has. Each goes a little over what a plan grants and no
// further. The neighbour has to answer after each of them.
var exhaustionAttempts = []Attempt{
	{ID: "processes", Tries: "start processes without end", By: "rctl", Want: "EAGAIN", Single: "nothing else counts the jail's processes", Fresh: true, Needs: needRctl, Do: well(processes(unix.SYS_FORK))},
	{ID: "processes-pdfork", Tries: "start processes by pdfork(2)", By: "rctl", Want: "EAGAIN | EMFILE", Single: "its descriptors are counted as well, and it may have more of them", Fresh: true, Needs: needRctl, Do: well(processes(unix.SYS_PDFORK))},
	{ID: "threads", Tries: "start threads without end", By: "rctl", Want: "EAGAIN | EPROCLIM", Single: "nothing else counts the jail's threads", Fresh: true, Needs: needRctl, Do: well(threads)},
	{ID: "memory", Tries: "take address space without end", By: "rlimits rctl", Want: "ENOMEM", Fresh: true, Do: well(func(s *Fixture) Outcome {
		return s.until(64, func() result {
			return s.call(unix.SYS_MMAP, 0, 1<<30, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, none, 0)
		})
	})},
	{ID: "descriptors", Tries: "open descriptors without end", By: "rlimits rctl", Want: "EMFILE", Fresh: true, Do: well(func(s *Fixture) Outcome {
		return s.until(1024, func() result { return s.call(unix.SYS_DUP, 1) })
	})},
	{ID: "queues", Tries: "make event queues without end", By: "rlimits rctl", Want: "EMFILE | ENOMEM", Fresh: true, Do: well(func(s *Fixture) Outcome {
		return s.until(1024, func() result { return s.call(unix.SYS_KQUEUE) })
	})},
}

// needRctl: without racct in the kernel the plan has no rules, and every start says so.
func needRctl(*Fixture) (string, bool) {
	on, err := unix.SysctlRaw("kern.racct.enable") // a bool of one byte
	return "rctl is not to be had here: kern.racct.enable is not set", err == nil && len(on) > 0 && on[0] != 0
}

func processes(number uint64) func(*Fixture) Outcome {
	return func(s *Fixture) Outcome {
		return s.until(64, func() result { return s.via(thenStay, number, s.put(words(0)), 0) })
	}
}

// stayAt is where the attacker's program sleeps for ever.
const stayAt = 256

// threads starts threads that sleep; struct thr_param is that of sys/sys/thr.h. They need no stack.
func threads(s *Fixture) Outcome {
	return s.until(256, func() result {
		s.again()
		status := s.put(words(0, 0))
		p := words(s.code+stayAt, 0, s.scratch+scratchSize-4096, 4096, 0, 0, status, status+8, 0, 0, 0, 0, 0)
		return s.call(unix.SYS_THR_NEW, p, 104)
	})
}

// planned says whether the plan has put such a file into the rootfs.
func (s *Fixture) planned(inside string) bool {
	for _, tree := range plan.Specs[*plan.JailRootfs](s.Plan) {
		for _, f := range tree.Files {
			if f.Inside == inside {
				return true
			}
		}
	}
	return false
}

// needNoNetwork: a cell with a stack of its own may have sockets, which reach nobody outside it.
func needNoNetwork(s *Fixture) (string, bool) {
	return "the cell has a network stack of its own, and may do in it what it likes", !slices.ContainsFunc(plan.Specs[*plan.Prison](s.Plan), func(p *plan.Prison) bool { return p.Network == cell.NetworkVnet })
}
