package attack

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// processAttempts reach for processes of the host: a bystander of the drill's own, and a neighbour's
// bhyve. Signal 0 and values that change nothing are all that is sent.
var processAttempts = []Attempt{
	{ID: "kill", Tries: "signal a process of the host",
		By: "jail capsicum", Want: "ESRCH | ECAPMODE", Start: true, Do: try(unix.SYS_KILL, baitPID, 0)},
	{ID: "kill-neighbour", Tries: "signal a neighbour's bhyve",
		By: "jail capsicum", Want: "ESRCH | ECAPMODE", Start: true, Needs: needNeighbour, Do: try(unix.SYS_KILL, late(neighbourPID), 0)},
	{ID: "sigqueue", Tries: "signal a process with a value",
		By: "jail", Want: "ESRCH | ECAPMODE", Single: "the call is there in capability mode", Start: true, Do: try(unix.SYS_SIGQUEUE, baitPID, 0, 0)},
	{ID: "thr-kill", Tries: "signal a thread of another process",
		By: "jail capsicum", Want: "ESRCH | ECAPMODE", Start: true, Do: try(unix.SYS_THR_KILL2, baitPID, none, 0)},
	{ID: "ptrace", Tries: "trace a process of the host",
		By: "jail capsicum", Want: "ESRCH | EPERM | ECAPMODE", Start: true, Fresh: true, Do: code(trace)},
	{ID: "ktrace", Tries: "stop the tracing of a process of the host (ktrace)",
		By: "jail capsicum", Want: "ESRCH | EPERM | ECAPMODE | ENOSYS", Start: true, Do: try(unix.SYS_KTRACE, 0, 1, 2, baitPID)},
	{ID: "priority", Tries: "look up the priority of a process of the host",
		By: "jail", Want: "ESRCH", Single: "the call is there in capability mode", Start: true, Do: try(unix.SYS_GETPRIORITY, 0, baitPID)},
	{ID: "set-priority", Tries: "change the priority of a process of the host",
		By: "jail", Want: "ESRCH", Single: "the call is there in capability mode", Start: true, Do: try(unix.SYS_SETPRIORITY, 0, baitPID, 0)},
	{ID: "rtprio", Tries: "look up the scheduling class of a process of the host",
		By: "jail", Want: "ESRCH | ECAPMODE", Single: "the call is there in capability mode", Start: true, Do: try(unix.SYS_RTPRIO, 0, baitPID, space(8))},
	{ID: "affinity", Tries: "choose the processors of a process of the host",
		By: "jail capsicum", Want: "ESRCH | ECAPMODE", Start: true, Do: try(unix.SYS_CPUSET_GETAFFINITY, 3, 2, baitPID, 128, space(128))},
	{ID: "procctl-other", Tries: "look at the controls of a process of the host",
		By: "jail capsicum", Want: "ESRCH | ECAPMODE | EPERM", Start: true, Do: try(unix.SYS_PROCCTL, 0, baitPID, 8, space(8))},
	{ID: "process-list", Tries: "look a process of the host up in the kernel's list",
		By: "jail capsicum", Want: "ESRCH | EPERM | absent", Start: true, Do: code(listed(1))},
	{ID: "process-arguments", Tries: "read the arguments of a process of the host",
		By: "jail capsicum", Want: "ESRCH | EPERM | absent", Start: true, Do: code(listed(7))},
	{ID: "process-maps", Tries: "read where a process of the host has its memory",
		By: "jail capsicum", Want: "ESRCH | EPERM | absent", Start: true, Do: code(listed(32))},
}

// trace begins to trace the bystander, and lets it go again: it would end with who traces it.
func trace(s *Fixture) Outcome {
	r := s.call(unix.SYS_PTRACE, unix.PT_ATTACH, s.Bait.PID(), 0, 0)
	if r.errno == 0 && !r.gone {
		s.call(unix.SYS_WAIT4, s.Bait.PID(), 0, 0, 0) // until it has stopped
		s.call(unix.SYS_PTRACE, unix.PT_DETACH, s.Bait.PID(), 1, 0)
	}
	return attempt{}.judge(r)
}

// listed asks sysctl kern.proc of the bystander; which is KERN_PROC_PID and the like.
func listed(which uint32) func(*Fixture) Outcome {
	return func(s *Fixture) Outcome {
		length := s.put(words(16384))
		r := s.call(unix.SYS___SYSCTL, words32(1, 14, which, uint32(s.Bait.PID())), 4, space(16384), length, 0, 0)
		if o, failed := r.failed(); failed {
			return o
		}
		if b := s.get(length, 8); len(b) == 8 && binary.LittleEndian.Uint64(b) > 0 {
			return escaped("it is told")
		}
		return stopped(absent)
	}
}
