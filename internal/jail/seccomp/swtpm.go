package seccomp

// SWTPM is the policy of a TPM, swtpm(8), from the moment in which it is handed what it remembers: it is loaded then
// and has heard nothing of its guest. What rows are for was seen under strace(1) with swtpm 0.7.1 and 0.10.2, which keep their
// state in one file and then make none of the calls of the rows that name swtpm 0.8: those are for a version between them.
// There is no row that opens, makes or names a file.
func SWTPM() Policy { return Policy{Rows: swtpm, Never: never} }

var swtpm = []Row{
	// The hypervisor's two connections, of which it sends the second over the first.
	{Call: "poll", Reason: "the main loop"},
	{Call: "ppoll", Reason: "the main loop"},
	{Call: "recvmsg", Reason: "the hypervisor's requests, and its second connection"},
	{Call: "read", Reason: "the guest's requests"},
	{Call: "write", Reason: "the answers"},
	{Call: "writev", Reason: "the C library's last words"},
	{Call: "close", Reason: "connections"},

	// What it remembers, which is open and mapped.
	{Call: "fstat", Reason: "how large its state is"},
	{Call: "newfstatat", Reason: "the same; a name leads nowhere in an empty rootfs"},
	{Call: "ftruncate", When: []Cond{notAmong(0, named{"the log", 2})}, Reason: "its state grows and shrinks"},
	{Call: "msync", Reason: "its state is on the disk before the guest hears so"},
	{Call: "fsync", Reason: "the same, from swtpm 0.8 on"},
	{Call: "fcntl", When: []Cond{among(1, named{"F_GETFL", 3}, named{"F_SETFL", 4}, named{"F_SETLK", 6})}, Reason: "the lock of its state, from swtpm 0.8 on"},

	// Memory: never executable from here on.
	{Call: "mmap", When: []Cond{none(2, protExec)}, Reason: "its state; buffers"},
	{Call: "mprotect", When: []Cond{none(2, protExec)}, Reason: "growing heaps"},
	{Call: "munmap", Reason: "its state; buffers"},
	{Call: "mremap", Reason: "growing buffers"},
	{Call: "brk", Reason: "heap"},
	{Call: "madvise", When: []Cond{among(2, named{"MADV_DONTNEED", 4})}, Reason: "freed memory"},

	{Call: "futex", Reason: "locks"},
	{Call: "getpid", Reason: "OpenSSL, before it gives a random number"},
	{Call: "getrandom", Reason: "keys"},
	{Call: "clock_gettime", Reason: "the TPM's own clock"},
	{Call: "rt_sigaction", Reason: "its handlers are taken away at the end"},
	{Call: "rt_sigprocmask", Reason: "the C library, around a signal"},
	{Call: "rt_sigreturn", Reason: "after a signal"},
	{Call: "restart_syscall", Reason: "after a stop in a wait"},
	{Call: "exit_group", Reason: "the end"},

	// Once, and never.
	{Call: "sendmsg", Reason: "the launcher hands the listener to its caller, on a socket that the exec closes"},
	{Call: "execve", Phase: Once, Reason: "the launcher's, into swtpm"},
	{Call: "clone3", Phase: Absent, Reason: "it makes no thread"},
	{Call: "set_robust_list", Phase: Absent, Reason: "for locks that outlive their owner; glibc does without"},
	{Call: "rseq", Phase: Absent, Reason: "tells glibc on which processor it runs; it does without"},
}
