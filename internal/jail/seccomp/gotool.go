package seccomp

import "slices"

// GoProgram is the policy of a program of ours, written in Go, from the moment in which it is about to
// read what is hostile: its runtime has started, and what it reads and writes is open. What each row is
// for is in the runtime's sources (runtime/sys_linux_amd64.s, os_linux.go, netpoll_epoll.go) and was
// seen under strace(1).
func GoProgram(needs ...Need) Policy { return Policy{Rows: goProgram, Never: never}.For(needs...) }

// GoWorker is the policy of a worker: a program of ours that lives as long as its cell and reads from sockets and
// a pipe that were handed in. It is GoProgram without what only files need.
func GoWorker(needs ...Need) Policy {
	p := GoProgram(append(needs, Messages)...)
	p.Rows = slices.DeleteFunc(p.Rows, func(r Row) bool { return slices.Contains(forFiles, r.Call) })
	return p
}

// forFiles are the calls of GoProgram that a worker does without.
var forFiles = []string{"pwrite64", "lseek", "copy_file_range", "fsync", "uname"}

// Needs of a Go program: one that speaks over sockets with package net, and one that was linked with a C
// library.
const (
	Sockets  Need = "sockets"
	Messages Need = "messages" // sockets that keep messages apart, without package net
	Cgo      Need = "cgo"
)

// goThread are the flags that the runtime clones a thread with (cloneFlags in os_linux.go), and goThreadTLS those
// on amd64, where the call adds CLONE_SETTLS (clone in sys_linux_amd64.s).
var (
	goThread    = named{"CLONE_VM|FS|FILES|SIGHAND|SYSVSEM|THREAD", 0x50f00}
	goThreadTLS = named{"CLONE_VM|FS|FILES|SIGHAND|SYSVSEM|THREAD|SETTLS", 0xd0f00}
)

// mapShared is memory that the limit of data does not count.
var mapShared = named{"MAP_SHARED", 1}

var goProgram = []Row{
	// What is open. None of these calls opens anything.
	{Call: "read", Reason: "what is handed in"},
	{Call: "pread64", Reason: "what is handed in, at a place"},
	{Call: "write", Reason: "what it answers"},
	{Call: "pwrite64", Reason: "a file that is handed in to be written, at a place"},
	{Call: "lseek", Reason: "the size of a file, and where its holes are"},
	{Call: "fstat", Reason: "what a descriptor is"},
	{Call: "ftruncate", Reason: "the size of a copy"},
	{Call: "copy_file_range", Reason: "from one file that is handed in to another, in the kernel"},
	{Call: "fsync", Reason: "a copy is on the disk before the end"},
	{Call: "close", Reason: "what is handed in"},
	{Call: "fcntl", When: []Cond{among(1, named{"F_GETFL", 3}, named{"F_SETFL", 4}, named{"F_GETFD", 1})},
		Reason: "whether a descriptor blocks"},

	// The runtime's poller, by which its timers wait too.
	{Call: "epoll_create1", Reason: "made when there is first something to wait for"},
	{Call: "epoll_ctl", Reason: "one more descriptor to wait for"},
	{Call: "epoll_pwait", Reason: "waits for all of them"},
	{Call: "eventfd2", Reason: "what wakes the poller"},

	// Sockets that are connected or listening. There is no call that makes, binds or connects one.
	{Call: "accept4", Need: Sockets, Reason: "the next client of a listening socket"},
	{Call: "recvmsg", Need: Sockets, Reason: "messages, with descriptors"},
	{Call: "recvmsg", Need: Messages, Reason: "messages, with descriptors"},
	{Call: "shutdown", Need: Sockets, Reason: "one direction of a socket"},
	{Call: "getsockname", Need: Sockets, Reason: "package net, of each new connection"},
	{Call: "getpeername", Need: Sockets, Reason: "package net, of each new connection"},
	{Call: "getsockopt", When: []Cond{among(1, named{"SOL_SOCKET", 1})}, Need: Sockets, Reason: "package net: what kind of socket it is"},

	// Memory: never executable.
	{Call: "mmap", When: []Cond{none(2, protExec), none(3, mapShared)}, Reason: "heap, stacks; shared memory would not count as data"},
	{Call: "munmap", Reason: "heap"},
	{Call: "madvise", When: []Cond{among(2, named{"MADV_DONTNEED", 4}, named{"MADV_HUGEPAGE", 14}, named{"MADV_NOHUGEPAGE", 15},
		named{"MADV_COLLAPSE", 25}, named{"MADV_FREE", 8})}, Reason: "freed memory, huge pages"},

	// Threads, signals and time.
	{Call: "futex", Reason: "locks"},
	{Call: "clone", When: []Cond{among(0, goThread, goThreadTLS)}, Reason: "one more thread of the runtime; no process, no namespace"},
	{Call: "exit", Reason: "the end of a thread"},
	{Call: "exit_group", Reason: "the end"},
	{Call: "gettid", Reason: "a new thread"},
	{Call: "getpid", Reason: "to stop a goroutine that does not yield"},
	{Call: "tgkill", Reason: "to stop a goroutine that does not yield"},
	{Call: "rt_sigprocmask", Reason: "new threads"},
	{Call: "rt_sigaction", Reason: "the handlers of a panic are taken away before it"},
	{Call: "rt_sigreturn", Reason: "after a signal"},
	{Call: "sigaltstack", Reason: "new threads"},
	{Call: "restart_syscall", Reason: "after a stop in a wait"},
	{Call: "nanosleep", Reason: "the runtime's watcher of its own threads"},
	{Call: "sched_yield", Reason: "short waits"},
	{Call: "clock_gettime", Reason: "on hosts whose clock cannot be read without a call"},
	{Call: "uname", Reason: "which kernel this is: package os chooses by it how to copy"},
	{Call: "getrandom", Reason: "seeds of maps and of scheduling"},

	// Once.
	{Call: "sendmsg", Reason: "the launcher hands the listener to its caller, on a socket that the exec closes"},
	{Call: "execve", Phase: Once, Reason: "the launcher's, into the program"},

	// What a C library asks for, in a program that was not linked without one.
	{Call: "clone", When: []Cond{exactly(0, threadFlags)}, Need: Cgo, Reason: "one more thread, by the C library"},
	{Call: "clone3", Phase: Absent, Need: Cgo, Reason: "its flags lie in memory, where no filter sees them; glibc falls back to clone"},
	{Call: "set_robust_list", Phase: Absent, Need: Cgo, Reason: "for locks that outlive their owner; glibc does without"},
	{Call: "rseq", Phase: Absent, Need: Cgo, Reason: "tells glibc on which processor it runs; it does without"},
	{Call: "mprotect", When: []Cond{none(2, protExec)}, Need: Cgo, Reason: "guard pages of stacks, growing heaps"},
	{Call: "brk", Need: Cgo, Reason: "the C library's heap"},
	{Call: "writev", Need: Cgo, Reason: "the C library's last words"},
}
