package attack

import (
	"os"

	"golang.org/x/sys/unix"
)

// kernelAttempts ask the kernel for what changes the whole host, or reach parts of it in which bugs
// are found again and again. The second need no right at all, so nothing but the filter can refuse
// them.
var kernelAttempts = []Attempt{
	{ID: "module", Tries: "load a kernel module",
		By: "", Want: "EPERM", Do: try(unix.SYS_INIT_MODULE, space(64), 64, "").pastGate(unix.ENOEXEC), NoControl: "the kernel of this machine has no modules"},
	{ID: "module-file", Tries: "load one from a file",
		By: "", Want: "EPERM", Do: try(unix.SYS_FINIT_MODULE, 0, "", 0).pastGate(unix.ENOEXEC, unix.EBADF, unix.EINVAL), NoControl: "the kernel of this machine has no modules"},
	{ID: "module-unload", Tries: "unload a kernel module",
		By: "", Want: "EPERM", Do: try(unix.SYS_DELETE_MODULE, "skep_drill", unix.O_NONBLOCK).pastGate(unix.ENOENT), NoControl: "the kernel of this machine has no modules"},
	{ID: "kexec", Tries: "start another kernel",
		By: "", Want: "EPERM", Do: try(unix.SYS_KEXEC_LOAD, 0, 99, 0, 0).pastGate(unix.EINVAL), NoControl: "the kernel of this machine cannot"},
	{ID: "reboot", Tries: "reboot the host",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_REBOOT, 0, 0, 0, 0).pastGate(unix.EINVAL)},
	{ID: "hostname", Tries: "rename the host",
		By: "user-namespace uts-namespace own-uid capabilities seccomp", Want: "EPERM", Do: code(renameHost)},
	{ID: "clock", Tries: "set the host's clock",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_SETTIMEOFDAY, 0, 0)},
	{ID: "kernel-log", Tries: "read the kernel's messages (syslog)",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_SYSLOG, 3, space(64), 64)},
	{ID: "accounting", Tries: "have each process of the host written down",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_ACCT, "/nonexistent/skep-drill").pastGate(unix.ENOENT)},
	{ID: "bpf-map", Tries: "make a BPF map",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_BPF, 0, append(words32(2, 4, 8, 1), make([]byte, 112)...), 128).opening()},
	{ID: "bpf-program", Tries: "load a BPF program",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: code(loadBPF)},
	{ID: "perf", Tries: "measure itself with perf",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_PERF_EVENT_OPEN, append(words32(1, 128), make([]byte, 120)...), 0, none, none, 0).opening()},
	{ID: "perf-host", Tries: "measure the whole host with perf",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_PERF_EVENT_OPEN, append(words32(1, 128), make([]byte, 120)...), none, 0, none, 0).opening()},
	{ID: "io-uring", Tries: "make calls past the filter (io_uring)",
		By: "rlimits seccomp", Want: "ENOSYS", Do: try(unix.SYS_IO_URING_SETUP, 1, space(120)).opening()},
	{ID: "userfaultfd", Tries: "stop the kernel in the middle of a copy",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM | ENOSYS", Do: try(unix.SYS_USERFAULTFD, unix.O_CLOEXEC).opening()},
	{ID: "key-read", Tries: "read a key of the caller's",
		By: "keyring seccomp", Want: "EPERM | ENOSYS", Needs: needKeys, Do: try(unix.SYS_KEYCTL, unix.KEYCTL_READ, late(func(s *Fixture) any { return s.Bait.Own.Key }), space(64), 64)},
	{ID: "key-add", Tries: "add a key",
		By: "seccomp", Want: "EPERM | ENOSYS", Single: singleCall, Do: code(addKey)},
	{ID: "key-request", Tries: "have the kernel start its helper for keys",
		By: "seccomp", Want: "EPERM | ENOSYS", Single: singleCall, Do: try(unix.SYS_REQUEST_KEY, "user", "skep-drill-none", 0, 0).pastGate(unix.ENOKEY)},
	{ID: "i386-call", Tries: "make a call as a 32-bit program",
		By: "seccomp", Want: "killed", Single: singleCall, Fresh: true, Do: try(20).via(byI386)},
	{ID: "i386-open", Tries: "open a file so, by a number that means another call in 64 bits",
		By: "seccomp", Want: "killed", Single: singleCall, Fresh: true, Do: try(5, 0, 0, 0).via(byI386).pastGate(unix.EFAULT)},
	{ID: "x32-call", Tries: "make a call of the x32 kind",
		By: "", Want: "ENOSYS", NoControl: "the kernel of this machine has none", Do: try(0x40000000 | unix.SYS_GETPPID)},
	{ID: "young-call", Tries: "make a call younger than most filters (open_tree_attr)",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(467, atCWD, "/", unix.OPEN_TREE_CLONE, 0, 0).opening()},
	{ID: "own-filter", Tries: "load a filter of its own, with a listener",
		By: "seccomp", Want: "EPERM | ENOSYS", Single: singleCall, Fresh: true, Do: code(ownFilter)},
	{ID: "own-landlock", Tries: "make rules of its own for files",
		Early: "rules only take away",
		By:    "two-phases", Want: "EPERM", Single: singlePhase, Do: try(unix.SYS_LANDLOCK_CREATE_RULESET, words(1, 0, 0), 8, 0).opening()},
	{ID: "timer", Tries: "make a timer",
		Early: "it ends with the process, and signals nobody else",
		By:    "two-phases", Want: "EPERM", Single: singlePhase, Do: try(unix.SYS_TIMER_CREATE, 0, 0, space(8))},
	{ID: "mqueue", Tries: "make a message queue",
		By: "rlimits landlock two-phases", Want: "EPERM | EMFILE", Do: code(makeQueue)},
}

// renameHost gives the host the name it has, or another one where it is only a throwaway host.
func renameHost(s *Fixture) Outcome {
	was, err := os.Hostname()
	if err != nil {
		return stopped(err.Error())
	}
	name := was
	if s.Bait.Hidden {
		name = "skep-drill"
		defer unix.Sethostname([]byte(was))
	}
	o := attempt{}.judge(s.call(unix.SYS_SETHOSTNAME, name, len(name)))
	if now, err := os.Hostname(); !o.Stopped && err == nil && now != name {
		return stopped("only its own name")
	}
	return o
}

func loadBPF(s *Fixture) Outcome {
	const (
		progLoad     = 5
		socketFilter = 1
	)
	// r0 = 0; exit
	program := s.put([]byte{0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0})
	attr := append(words32(socketFilter, 2), words(program, s.put([]byte("BSD\x00")))...)
	r := s.call(unix.SYS_BPF, progLoad, append(attr, make([]byte, 104)...), 128)
	if r.errno == 0 && !r.gone {
		s.call(unix.SYS_CLOSE, r.value)
	}
	return attempt{}.judge(r)
}

func needKeys(s *Fixture) (string, bool) {
	return "this kernel keeps no keys for the caller", s.Bait.Own.Key > 0
}

// addKey puts one where nobody else looks, the process's own keyring.
func addKey(s *Fixture) Outcome {
	const processKeyring = ^uint64(1)
	return attempt{}.judge(s.call(unix.SYS_ADD_KEY, "user", "skep-drill", "x", 1, processKeyring))
}

func ownFilter(s *Fixture) Outcome {
	allow := s.put([]byte{0x06, 0, 0, 0, 0, 0, 0xff, 0x7f})
	program := s.put(words(1, allow))
	return attempt{past: []unix.Errno{unix.EBUSY}}.judge(s.call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, program))
}

func makeQueue(s *Fixture) Outcome {
	r := s.call(unix.SYS_MQ_OPEN, "skep-drill", unix.O_RDWR|unix.O_CREAT, 0o600, 0)
	if r.errno == 0 && !r.gone {
		s.call(unix.SYS_MQ_UNLINK, "skep-drill")
		s.call(unix.SYS_CLOSE, r.value)
	}
	return attempt{}.judge(r)
}
