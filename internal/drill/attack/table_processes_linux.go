package attack

import (
	"context"
	"runtime"
	"skep/internal/drill/bait"

	"golang.org/x/sys/unix"
)

// processAttempts act on a process of the host: one that does nothing but wait, laid out as bait.
var processAttempts = []Attempt{
	{ID: "kill", Tries: "signal a process of the host",
		By: "pid-namespace own-uid landlock two-phases", Want: "EPERM | ESRCH", Do: try(unix.SYS_KILL, baitPID, 0)},
	{ID: "kill-group", Tries: "signal a group of processes of the host",
		By: "pid-namespace own-uid landlock two-phases", Want: "EPERM | ESRCH", Do: try(unix.SYS_KILL, late(func(s *Fixture) any { return -s.Bait.PID() }), 0)},
	{ID: "tgkill", Tries: "signal it by thread, with the call that virtual processors are woken with",
		By: "pid-namespace own-uid landlock", Want: "ESRCH | EPERM", Do: try(unix.SYS_TGKILL, baitPID, baitPID, 0)},
	{ID: "tkill", Tries: "the same by the old tkill(2)",
		By: "pid-namespace own-uid landlock two-phases", Want: "EPERM | ESRCH", Do: try(unix.SYS_TKILL, baitPID, 0)},
	{ID: "sigqueue", Tries: "signal it with forged words",
		By: "pid-namespace own-uid landlock two-phases", Want: "EPERM | ESRCH", Do: try(unix.SYS_RT_SIGQUEUEINFO, baitPID, 0, append(words32(0, 0, ^uint32(0)), make([]byte, 116)...))},
	{ID: "pidfd-open", Tries: "get a descriptor of it",
		By: "pid-namespace seccomp", Want: "EPERM", Do: try(unix.SYS_PIDFD_OPEN, baitPID, 0).opening()},
	{ID: "pidfd-getfd", Tries: "take a descriptor out of it",
		By: "user-namespace pid-namespace own-uid capabilities landlock seccomp", Want: "EPERM", Do: code(takeDescriptor)},
	{ID: "ptrace", Tries: "trace it",
		By: "user-namespace pid-namespace own-uid capabilities landlock seccomp", Want: "EPERM", Do: code(trace)},
	{ID: "vm-readv", Tries: "read its memory",
		By: "user-namespace pid-namespace own-uid capabilities landlock seccomp", Want: "EPERM", Do: code(foreignMemory(unix.SYS_PROCESS_VM_READV))},
	{ID: "vm-writev", Tries: "write to its memory",
		By: "user-namespace pid-namespace own-uid capabilities landlock seccomp", Want: "EPERM", Do: code(foreignMemory(unix.SYS_PROCESS_VM_WRITEV))},
	{ID: "proc-mem", Tries: "open its memory as a file",
		By: "user-namespace private-root own-uid capabilities landlock two-phases", Want: "ENOENT | EPERM", Do: open(late(func(s *Fixture) any { return procFile(s.Bait.PID(), "mem") }), unix.O_RDONLY)},
	{ID: "proc-environ", Tries: "read its environment",
		By: "user-namespace private-root own-uid capabilities two-phases", Want: "ENOENT | EPERM", Do: open(late(func(s *Fixture) any { return procFile(s.Bait.PID(), "environ") }), unix.O_RDONLY)},
	{ID: "move-pages", Tries: "see where its memory lies",
		By: "user-namespace pid-namespace own-uid capabilities landlock seccomp", Want: "EPERM", Do: try(unix.SYS_MOVE_PAGES, baitPID, 0, 0, 0, 0, 0)},
	{ID: "kcmp", Tries: "compare its kernel objects with another's",
		By: "user-namespace pid-namespace own-uid capabilities landlock seccomp", Want: "EPERM", Do: try(unix.SYS_KCMP, baitPID, baitPID, 0, 0, 0)},
	{ID: "prlimit", Tries: "read and set its limits",
		By: "pid-namespace own-uid two-phases", Want: "ESRCH | EPERM", Do: try(unix.SYS_PRLIMIT64, baitPID, unix.RLIMIT_NOFILE, 0, space(16))},
	{ID: "affinity", Tries: "bind it to a processor",
		By: "user-namespace pid-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_SCHED_SETAFFINITY, baitPID, 8, words(^uint64(0)))},
	{ID: "nice", Tries: "slow it down",
		By: "user-namespace pid-namespace own-uid capabilities two-phases", Want: "EPERM | ESRCH", Do: try(unix.SYS_SETPRIORITY, 0, baitPID, 1)},
	{ID: "signal-parent", Tries: "ask who its parent is, and signal that",
		By: "pid-namespace own-uid landlock two-phases", Want: "EPERM | absent", Do: code(signalParent)},
}

func takeDescriptor(s *Fixture) Outcome {
	r := s.call(unix.SYS_PIDFD_OPEN, s.Bait.PID(), 0)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_CLOSE, r.value)
	got := s.call(unix.SYS_PIDFD_GETFD, r.value, 3, 0)
	if got.errno == 0 && !got.gone {
		s.call(unix.SYS_CLOSE, got.value)
	}
	return attempt{}.judge(got)
}

func trace(s *Fixture) Outcome {
	r := s.call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, s.Bait.PID(), 0, 0)
	if r.errno == 0 && !r.gone {
		s.call(unix.SYS_PTRACE, unix.PTRACE_INTERRUPT, s.Bait.PID(), 0, 0)
		s.call(unix.SYS_WAIT4, s.Bait.PID(), 0, unix.WALL, 0)
		s.call(unix.SYS_PTRACE, unix.PTRACE_DETACH, s.Bait.PID(), 0, 0)
	}
	return attempt{}.judge(r)
}

// foreignMemory moves no byte: the right to is asked for first.
func foreignMemory(call uint64) func(*Fixture) Outcome {
	return func(s *Fixture) Outcome {
		local := s.put(words(s.put(make([]byte, 8)), 8))
		remote := s.put(words(8, 8))
		return attempt{past: []unix.Errno{unix.EFAULT}}.judge(s.call(call, s.Bait.PID(), local, 1, remote, 1, 0))
	}
}

// signalParent: a process whose parent is in another namespace is told 0.
func signalParent(s *Fixture) Outcome {
	r := s.call(unix.SYS_GETPPID)
	if o, failed := r.failed(); failed {
		return o
	}
	if r.value == 0 {
		return stopped(absent)
	}
	return attempt{}.judge(s.call(unix.SYS_KILL, r.value, 0))
}

// programAttempts start another program. Each is the attacker itself, so that its first words tell
// of a success.
var programAttempts = []Attempt{
	{ID: "exec-host", Tries: "execute a program of the host",
		By: "private-root one-exec", Want: "EPERM", Fresh: true, Do: code(execPath(func(s *Fixture) string { return s.Bait.Program }))},
	{ID: "exec-own", Tries: "execute the hypervisor again",
		By: "empty-room one-exec", Want: "EPERM", Fresh: true, Do: code(execPath(func(s *Fixture) string { return string(s.Spec.Path) }))},
	{ID: "exec-self", Tries: "execute itself through /proc/self/exe",
		By: "private-root one-exec", Want: "EPERM", Fresh: true, Do: code(execPath(func(*Fixture) string { return "/proc/self/exe" }))},
	{ID: "exec-shell", Tries: "execute a shell",
		By: "private-root one-exec", Want: "EPERM", Fresh: true, Do: code(execShell)},
	{ID: "exec-setuid", Tries: "execute a set-user-ID program, to become its owner",
		By: "no-new-privs", Want: "", Single: "a set-user-ID program would have to be in the rootfs, where mounts ignore the bit", Fresh: true, Needs: needSetuid, Do: code(execSetuid)},
	{ID: "execveat", Tries: "execute by execveat(2)",
		By: "private-root one-exec", Want: "EPERM", Fresh: true, Do: code(execAt)},
	{ID: "exec-memfd", Tries: "execute a program that exists in memory only",
		By: "one-exec", Want: "EPERM", Single: singleCall, Fresh: true, Do: code(execMemory)},
	{ID: "memfd", Tries: "make a file in memory, to put a program there",
		Early: "the buffer of TCG is such a file; what is in it runs with the rights that it has already",
		By:    "two-phases", Want: "EPERM", Single: singlePhase, Do: try(unix.SYS_MEMFD_CREATE, "drill", 0).opening()},
	{ID: "memfd-secret", Tries: "make memory that not even the kernel can look at",
		By: "seccomp", Want: "EPERM | ENOSYS", Single: singleCall, Do: try(unix.SYS_MEMFD_SECRET, 0).opening()},
}

// arguments are those with which the attacker keeps its connection, and so can say who it is.
func (s *Fixture) arguments() uint64 {
	plus, nothing := s.put([]byte("+\x00")), s.put([]byte("\x00"))
	argv := []uint64{plus}
	for len(argv) < s.fd {
		argv = append(argv, nothing)
	}
	return s.pointers(argv...)
}

func execPath(path func(*Fixture) string) func(*Fixture) Outcome {
	return func(s *Fixture) Outcome {
		return attempt{}.judge(s.call(unix.SYS_EXECVE, path(s), s.arguments(), 0))
	}
}

// execShell: a shell does not introduce itself, so how it ends is what tells.
func execShell(s *Fixture) Outcome {
	const told = 42
	argv := s.pointers(s.put([]byte("sh\x00")), s.put([]byte("-c\x00")), s.put([]byte("exit 42\x00")))
	r := s.call(unix.SYS_EXECVE, "/bin/sh", argv, 0)
	if r.gone {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if exit, err := s.Proc.Wait(ctx); err == nil && exit.Code == told {
			return escaped("it was a shell")
		}
	}
	return attempt{}.judge(r)
}

func execAt(s *Fixture) Outcome {
	return attempt{}.judge(s.call(unix.SYS_EXECVEAT, none, s.Bait.Program, s.arguments(), 0, 0))
}

func execMemory(s *Fixture) Outcome {
	r := s.call(unix.SYS_MEMFD_CREATE, "drill", 0)
	if o, failed := r.failed(); failed {
		return o
	}
	if w := s.call(unix.SYS_WRITE, r.value, bait.Attackers[runtime.GOARCH], len(bait.Attackers[runtime.GOARCH])); w.errno != 0 || w.gone {
		return attempt{}.judge(w)
	}
	return attempt{}.judge(s.call(unix.SYS_EXECVEAT, r.value, "", s.arguments(), 0, unix.AT_EMPTY_PATH))
}

func needSetuid(s *Fixture) (string, bool) {
	return "a set-user-ID program is laid out only where no other user of the host could run it", s.Bait.Setuid != ""
}

// atEUID is AT_EUID of the auxiliary vector.
const atEUID = 12

// execSetuid looks at the auxiliary vector for who it has become.
func execSetuid(s *Fixture) Outcome {
	before := s.auxiliary(atEUID)
	r := s.call(unix.SYS_EXECVE, s.Bait.Setuid, s.arguments(), 0)
	if !r.reborn {
		return attempt{}.judge(r)
	}
	if after := s.auxiliary(atEUID); after == 0 && before != 0 {
		return escaped("it is root")
	}
	return stopped("the bit did not count")
}
