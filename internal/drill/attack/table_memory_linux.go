package attack

import (
	"golang.org/x/sys/unix"
)

const (
	anonymous = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	wx        = unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC
	rx        = unix.PROT_READ | unix.PROT_EXEC
	rw        = unix.PROT_READ | unix.PROT_WRITE
)

// memoryAttempts make code of data, or memory that is not what it should be.
var memoryAttempts = []Attempt{
	{ID: "map-wx", Tries: "map memory that is writable and executable",
		By: "wx-mdwe wx-seccomp", Want: "EPERM", Do: try(unix.SYS_MMAP, 0, 4096, wx, anonymous, none, 0)},
	{ID: "gain-x", Tries: "write code and make it executable",
		By: "wx-mdwe wx-seccomp", Want: "EPERM", Do: code(gainX)},
	{ID: "gain-x-pkey", Tries: "the same by pkey_mprotect(2)",
		By: "wx-mdwe seccomp", Want: "EPERM", Do: code(gainByKey)},
	{ID: "stack-x", Tries: "make the stack executable",
		By: "wx-mdwe wx-seccomp", Want: "EPERM", Do: try(unix.SYS_MPROTECT, late(func(s *Fixture) any { return s.Stack &^ 4095 }), 4096, wx)},
	{ID: "code-w", Tries: "make its own code writable",
		By: "wx-mdwe wx-seccomp", Want: "EPERM", Do: code(writeCode)},
	{ID: "map-x", Tries: "map executable memory",
		Early: "libraries are mapped so; code of its own has no more rights than the one that is there",
		By:    "", Want: "EPERM", Single: singlePhase, Do: try(unix.SYS_MMAP, 0, 4096, rx, anonymous, none, 0)},
	{ID: "map-file-x", Tries: "map a file that it holds as a program",
		Early: "libraries are mapped so; code of its own has no more rights than the one that is there",
		By:    "", Want: "EPERM", Single: singlePhase, Needs: needHanded("flash-code"), Do: try(unix.SYS_MMAP, 0, 4096, rx, unix.MAP_PRIVATE, handed("flash-code"), 0)},
	{ID: "map-memfd-twice", Tries: "map a file in memory twice: once to write, once to execute",
		Early: "TCG writes its code so; it has no more rights than the one that is there",
		By:    "two-phases", Want: "EPERM", Single: singlePhase, Do: code(mapTwice)},
	{ID: "shm-x", Tries: "attach shared memory as executable",
		By: "wx-mdwe seccomp", Want: "EPERM", Do: code(sharedX)},
	{ID: "implied-x", Tries: "have all memory executable by an old personality",
		By: "wx-mdwe seccomp", Want: "EPERM", Fresh: true, Do: code(impliedX)},
	{ID: "map-null", Tries: "map address 0, for bugs of the kernel's that jump there",
		By: "user-namespace own-uid capabilities", Want: "EPERM", Do: try(unix.SYS_MMAP, 0, 4096, rw, anonymous|unix.MAP_FIXED, none, 0)},
	{ID: "modify-ldt", Tries: "make a segment of its own",
		By: "seccomp", Want: "EPERM", Single: singleCall, Do: try(sysModifyLDT, 1, words32(0, 0, 0, 0x28), 16)},
	{ID: "mlock", Tries: "lock memory, so that the host has to swap its own",
		By: "rlimits two-phases", Want: "EPERM", Do: try(unix.SYS_MLOCK, late(func(s *Fixture) any { return s.scratch }), 64<<10)},
	{ID: "mlockall", Tries: "lock all its memory, now and later",
		By: "rlimits two-phases", Want: "EPERM", Fresh: true, Do: try(unix.SYS_MLOCKALL, 2)},
	{ID: "merge", Tries: "have pages merged with a neighbour's, to tell by timing what is in them",
		By: "seccomp", Want: "EPERM", Single: singleCall,
		Do: try(unix.SYS_MADVISE, late(func(s *Fixture) any { return s.scratch }), 4096, unix.MADV_MERGEABLE)},
	{ID: "merge-all", Tries: "the same for all its memory",
		By: "seccomp", Want: "EPERM", Single: singleCall, Do: try(unix.SYS_PRCTL, unix.PR_SET_MEMORY_MERGE, 1, 0, 0, 0)},
}

func gainX(s *Fixture) Outcome {
	r := s.call(unix.SYS_MMAP, 0, 4096, rw, anonymous, none, 0)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_MUNMAP, r.value, 4096)
	return attempt{}.judge(s.call(unix.SYS_MPROTECT, r.value, 4096, rx))
}

func gainByKey(s *Fixture) Outcome {
	r := s.call(unix.SYS_MMAP, 0, 4096, rw, anonymous, none, 0)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_MUNMAP, r.value, 4096)
	return attempt{}.judge(s.call(unix.SYS_PKEY_MPROTECT, r.value, 4096, rx, none))
}

// writeCode is undone at once where it succeeds. The page stays executable meanwhile.
func writeCode(s *Fixture) Outcome {
	r := s.call(unix.SYS_MPROTECT, s.code, 4096, wx)
	if r.errno == 0 && !r.gone {
		s.call(unix.SYS_MPROTECT, s.code, 4096, rx)
	}
	return attempt{}.judge(r)
}

func mapTwice(s *Fixture) Outcome {
	r := s.call(unix.SYS_MEMFD_CREATE, "drill", 0)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_CLOSE, r.value)
	s.call(unix.SYS_FTRUNCATE, r.value, 4096)
	w := s.call(unix.SYS_MMAP, 0, 4096, rw, unix.MAP_SHARED, r.value, 0)
	if o, failed := w.failed(); failed {
		return o
	}
	return attempt{}.judge(s.call(unix.SYS_MMAP, 0, 4096, rx, unix.MAP_SHARED, r.value, 0))
}

func sharedX(s *Fixture) Outcome {
	r := s.call(unix.SYS_SHMGET, unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o700)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_SHMCTL, r.value, unix.IPC_RMID, 0)
	const shmExec = 0o100000
	return attempt{}.judge(s.call(unix.SYS_SHMAT, r.value, 0, shmExec))
}

func impliedX(s *Fixture) Outcome {
	const readImpliesExec = 0x0400000
	r := s.call(unix.SYS_PERSONALITY, readImpliesExec)
	if o, failed := r.failed(); failed {
		return o
	}
	return attempt{}.judge(s.call(unix.SYS_MMAP, 0, 4096, rw, anonymous, none, 0))
}
