package attack

import (
	"runtime"
	"skep/internal/drill/bait"

	"golang.org/x/sys/unix"
)

// programAttempts run something else. Before capability mode bhyve itself is there to be run again,
// with no more rights than it has; that is not tried.
var programAttempts = []Attempt{
	{ID: "exec-host", Tries: "run a program of the host",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: execute(late(func(s *Fixture) any { return s.Bait.Program }))},
	{ID: "exec-shell", Tries: "run a shell",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Needs: noShell, Do: execute("/bin/sh")},
	{ID: "exec-self", Tries: "run its own program again",
		By: "empty-room capsicum", Want: "ECAPMODE", Do: execute("/usr/sbin/bhyve")},
	{ID: "exec-loader", Tries: "run the loader of programs",
		By: "empty-room capsicum", Want: "ECAPMODE", Do: execute("/libexec/ld-elf.so.1")},
	{ID: "exec-memory", Tries: "run a program out of shared memory (shm_open, fexecve)",
		By: "", Want: "EINVAL | EACCES | ENOEXEC | EBADF", NoControl: "the kernel runs vnodes only", Start: true, Do: code(execMemory)},
	{ID: "exec-descriptor", Tries: "run what lies behind a descriptor of its own",
		By: "capsicum", Want: "ENOTCAPABLE | EACCES | EINVAL", NoControl: "none of them is a program", Single: "a descriptor that is open asks for no name", Do: code(execHeld)},
}

type executing struct{ path any }

func execute(path any) executing { return executing{path} }

func (e executing) do(s *Fixture) Outcome {
	path := e.path
	if f, ok := path.(late); ok {
		path = f(s)
	}
	name := s.value(path)
	r := s.call(unix.SYS_EXECVE, name, s.pointers(name), s.pointers())
	if r.gone { // whoever runs now does not know our commands, or died as it was to begin: it was let in
		return escaped("another program runs, or has run")
	}
	return attempt{}.judge(r)
}

// noShell: a guest with ACPI tables has one in the rootfs until capability mode.
func noShell(s *Fixture) (string, bool) {
	return "this plan has a shell in the rootfs until capability mode", !s.planned("/bin/sh")
}

func execMemory(s *Fixture) Outcome {
	r := s.call(unix.SYS_SHM_OPEN, 1, unix.O_RDWR, 0o700) // SHM_ANON
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_CLOSE, r.value)
	s.call(unix.SYS_FTRUNCATE, r.value, 4096)
	program := bait.Attackers[runtime.GOARCH]
	s.call(unix.SYS_WRITE, r.value, program, len(program))
	return attempt{}.judge(s.call(unix.SYS_FEXECVE, r.value, s.pointers(s.put([]byte("x\x00"))), s.pointers()))
}

func execHeld(s *Fixture) Outcome {
	last := stopped(absent)
	for fd := range s.held() {
		if fd == 0 {
			continue // the commands come from there
		}
		r := s.call(unix.SYS_FEXECVE, fd, s.pointers(s.put([]byte("x\x00"))), s.pointers())
		if last = (attempt{}).judge(r); !last.Stopped || r.gone {
			return last
		}
	}
	return last
}
