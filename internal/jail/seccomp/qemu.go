package seccomp

// QEMU is the policy of a QEMU that runs one cell, for the devices it has. It holds for QEMU 7.2 to
// 10 built against glibc; what each row is for was seen under strace(1), not guessed.
func QEMU(needs ...Need) Policy { return Policy{Rows: qemu}.For(needs...) }

// Constants of the kernel's headers, by their names there.
var (
	protWrite   = named{"PROT_WRITE", 2}
	protExec    = named{"PROT_EXEC", 4}
	threadFlags = named{"CLONE_VM|FS|FILES|SIGHAND|THREAD|SYSVSEM|SETTLS|PARENT_SETTID|CHILD_CLEARTID", 0x3d0f00}
)

var qemu = []Row{
	// Files and devices that are open. None of these calls can open another.
	{Call: "read", Reason: "console, tap, event descriptors, libraries"},
	{Call: "write", Reason: "event descriptors, console log"},
	{Call: "writev", Reason: "packets to the tap, messages to monitors"},
	{Call: "pread64", Reason: "disk and flash; ELF headers at the start"},
	{Call: "pwrite64", Reason: "disk and flash"},
	{Call: "preadv", Need: Disk, Reason: "scattered guest buffers"},
	{Call: "pwritev", Need: Disk, Reason: "scattered guest buffers"},
	{Call: "fdatasync", Reason: "a guest's flush, and flash at the end"},
	{Call: "fallocate", Need: Disk, Reason: "a guest's discard and write-zeroes"},
	{Call: "lseek", Phase: Start, Reason: "the length of an image, the first hole in it"},
	{Call: "close", Reason: "monitor clients, screenshots"},
	{Call: "ftruncate", Phase: Start, Need: TCG, Reason: "the size of the code buffer"},
	{Call: "fcntl", When: []Cond{among(1, named{"F_GETFL", 3}, named{"F_SETFL", 4}, named{"F_DUPFD_CLOEXEC", 1030},
		named{"F_OFD_GETLK", 36}, named{"F_OFD_SETLK", 37})}, Reason: "non-blocking sockets, descriptor sets, image locks"},
	{Call: "fcntl", When: []Cond{among(1, named{"F_GETFD", 1}, named{"F_SETFD", 2})}, Phase: Start, Reason: "descriptors on the command line"},
	{Call: "eventfd2", Reason: "a queue of a device that the guest starts"},
	{Call: "epoll_create1", Phase: Start, Reason: "made for each event loop, used from 64 descriptors on, which no cell has"},
	{Call: "poll", Reason: "the monitor and screen loops"},
	{Call: "ppoll", Reason: "the main loop"},

	// Sockets that are connected or listening. There is no call that makes, binds or connects one.
	{Call: "accept4", Reason: "the next client of monitor or console"},
	{Call: "sendmsg", Reason: "answers to monitor, console and screen"},
	{Call: "recvmsg", Reason: "orders, with descriptors"},
	{Call: "getsockname", Reason: "on each new client"},
	{Call: "getpeername", Phase: Start, Reason: "is a socket on the command line connected already"},
	{Call: "getpeername", Need: Screen, Reason: "on each new screen client"},
	{Call: "getsockopt", Phase: Start, Reason: "what kind of socket was handed in"},
	{Call: "listen", Phase: Start, Reason: "repeated on the sockets handed in"},

	// Memory: never writable and executable, and nothing executable once the guest is prepared.
	{Call: "mmap", When: []Cond{none(2, protExec)}, Reason: "heap, stacks, guest memory"},
	{Call: "mmap", When: []Cond{notAll(2, protWrite, protExec)}, Phase: Start, Reason: "libraries; the executable view of TCG's buffer"},
	{Call: "mprotect", When: []Cond{none(2, protExec)}, Reason: "guard pages, growing heaps, relocations"},
	{Call: "munmap", Reason: "stacks, large buffers"},
	{Call: "brk", Reason: "heap"},
	{Call: "madvise", When: []Cond{among(2, named{"MADV_DONTNEED", 4}, named{"MADV_DONTFORK", 10}, named{"MADV_HUGEPAGE", 14}, named{"MADV_DONTDUMP", 16})},
		Reason: "freed memory, finished stacks, guest memory; merging (MADV_MERGEABLE) is not among these"},
	{Call: "memfd_create", Phase: Start, Reason: "TCG's code buffer, mapped twice"},

	// Threads and time.
	{Call: "futex", Reason: "locks"},
	{Call: "clone", When: []Cond{exactly(0, threadFlags)}, Reason: "one more thread of the disk pool; no process, no namespace"},
	{Call: "clone3", Phase: Absent, Reason: "its flags lie in memory, where no filter sees them; glibc falls back to clone"},
	{Call: "set_robust_list", Reason: "each new thread"},
	{Call: "rseq", Reason: "each new thread"},
	{Call: "exit", Reason: "a thread of the disk pool after some idle seconds"},
	{Call: "exit_group", Reason: "the end"},
	{Call: "rt_sigprocmask", Reason: "coroutines, new threads"},
	{Call: "rt_sigreturn", Reason: "after a signal"},
	{Call: "restart_syscall", Reason: "after a stop in a wait"},
	{Call: "clock_nanosleep", Reason: "waits"},
	{Call: "clock_gettime", Reason: "on hosts whose clock cannot be read without a call"},
	{Call: "getrandom", Reason: "seeds, random bytes for guests"},
	{Call: "getpid", Need: KVM, Reason: "to wake a virtual processor"},
	{Call: "tgkill", Need: KVM, Reason: "to wake a virtual processor"},
	{Call: "gettid", Phase: Start, Reason: "each virtual processor's thread"},

	// The start: the loader, options, and questions to the system.
	{Call: "execve", Phase: Once, Reason: "the launcher's, into the hypervisor"},
	{Call: "openat", Phase: Start, Reason: "libraries, firmware, descriptor sets"},
	{Call: "access", Phase: Start, Reason: "the loader, firmware names"},
	{Call: "faccessat", Phase: Start, Reason: "the same, where there is no access"},
	{Call: "newfstatat", Phase: Start, Reason: "libraries, images"},
	{Call: "readlink", Phase: Start, Reason: "where the program lies"},
	{Call: "readlinkat", Phase: Start, Reason: "the same, where there is no readlink"},
	{Call: "arch_prctl", When: []Cond{among(0, named{"ARCH_SET_FS", 0x1002})}, Phase: Start, Reason: "the loader's thread pointer"},
	{Call: "set_tid_address", Phase: Start, Reason: "the first thread"},
	{Call: "prctl", When: []Cond{among(0, named{"PR_SET_NAME", 15})}, Phase: Start, Reason: "a name that ps(1) can show"},
	{Call: "prlimit64", When: []Cond{null(2, "the new limit")}, Phase: Start, Reason: "the size of the stack"},
	{Call: "rt_sigaction", Phase: Start, Reason: "handlers"},
	{Call: "signalfd4", Phase: Start, Reason: "signals for the main loop"},
	{Call: "sched_getaffinity", Phase: Start, Reason: "libnuma counts processors, and warns if it cannot"},
	{Call: "sysinfo", Phase: Start, Reason: "how much memory there is"},
	{Call: "uname", Phase: Start, Need: KVM, Reason: "the kernel's version"},
	{Call: "io_uring_setup", Phase: Absent, Reason: "more of the kernel than any disk needs; QEMU falls back to threads"},

	// Requests to the devices that were handed in.
	{Call: "ioctl", When: []Cond{among(1, tapRun...)}, Need: NIC, Reason: "what a guest's driver agrees on"},
	{Call: "ioctl", When: []Cond{among(1, tapStart...)}, Phase: Start, Need: NIC, Reason: "what the tap can do"},
	{Call: "ioctl", When: []Cond{among(1, diskRun...)}, Need: Disk, Reason: "a guest's discard and write-zeroes, on a volume"},
	{Call: "ioctl", When: []Cond{among(1, diskStart...)}, Phase: Start, Need: Disk, Reason: "a volume's sector sizes"},
	{Call: "ioctl", When: []Cond{among(1, kvmRun...)}, Need: KVM, Reason: "virtual processors, interrupts, memory map"},
	{Call: "ioctl", When: []Cond{among(1, debugRun...)}, Need: Debug, Reason: "a debugger's breakpoints and single steps"},
	{Call: "ioctl", When: []Cond{among(1, kvmStart...)}, Phase: Start, Need: KVM, Reason: "what KVM can do, and making the machine"},
}
