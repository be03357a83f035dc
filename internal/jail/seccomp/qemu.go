package seccomp

import "slices"

// QEMU is the policy of a QEMU that runs one cell, for the devices it has. Its rows are what a guest's
// life needs; the start may do all but what is in the table of never. It holds for QEMU 7.2 to 11.1
// built against glibc 2.31 to 2.43; what each row is for was seen under strace(1), not guessed.
func QEMU(needs ...Need) Policy {
	p := Policy{Rows: qemu, Never: never}.For(needs...)
	if contains(needs, TPM) {
		p.Never = slices.Clone(p.Never)
		for i, row := range p.Never {
			if row.Call == "socketpair" {
				p.Never[i].When = []Cond{notAmong(0, named{"AF_UNIX", 1})}
				p.Never[i].Reason = "no socket that reaches anywhere; QEMU makes one pair between itself and the TPM"
			}
		}
	}
	return p
}

// SurfaceMax is the size of the largest surface of a screen: more than any that fits the memory of a
// virtual graphics card. It is a power of two.
const SurfaceMax = 64 << 20

// Constants of the kernel's headers, by their names there.
var (
	protExec    = named{"PROT_EXEC", 4}
	surfaceBits = named{"bits above 64 MiB", ^uint64(SurfaceMax - 1)}
	threadFlags = named{"CLONE_VM|FS|FILES|SIGHAND|THREAD|SYSVSEM|SETTLS|PARENT_SETTID|CHILD_CLEARTID", 0x3d0f00}
)

// zeroing are the modes that QEMU uses. FALLOC_FL_KEEP_SIZE alone or with ZERO_RANGE is not among them: it takes
// of the file system what no limit on the size of files counts.
var zeroing = among(1, named{"0", 0}, named{"PUNCH_HOLE|KEEP_SIZE", 3}, named{"ZERO_RANGE", 16})

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
	{Call: "fallocate", When: []Cond{zeroing}, Need: Disk, Reason: "a guest's discard and write-zeroes"},
	{Call: "close", Reason: "monitor clients, screenshots"},
	{Call: "fcntl", When: []Cond{among(1, named{"F_GETFL", 3}, named{"F_SETFL", 4}, named{"F_DUPFD_CLOEXEC", 1030},
		named{"F_OFD_GETLK", 36}, named{"F_OFD_SETLK", 37})}, Reason: "non-blocking sockets, descriptor sets, image locks"},
	{Call: "eventfd2", Reason: "a queue of a device that the guest starts"},
	{Call: "poll", Reason: "the monitor and screen loops"},
	{Call: "ppoll", Reason: "the main loop"},

	// Sockets that are connected or listening. There is no call that makes, binds or connects one.
	{Call: "accept4", Reason: "the next client of monitor or console"},
	{Call: "sendmsg", Reason: "answers to monitor, console and screen"},
	{Call: "recvmsg", Reason: "orders, with descriptors"},
	{Call: "getsockname", Reason: "on each new client"},
	{Call: "getpeername", Phase: Absent, Errno: enotconn, Reason: "on each new screen client, which has no name worth telling"},
	{Call: "getsockopt", When: []Cond{among(1, named{"SOL_SOCKET", 1}), among(2, named{"SO_TYPE", 3})}, Need: Screen,
		Reason: "QEMU 10 and later, on each new screen client"},
	{Call: "unlink", Phase: Absent, Errno: enoent,
		Reason: "at QEMU's end, of the sockets that it listened on; their names lead nowhere in its rootfs"},

	// A surface of a screen, from QEMU 10 on: a file in memory, mapped and thrown away with the next one.
	{Call: "memfd_create", When: []Cond{among(1, named{"MFD_CLOEXEC", 1})}, Need: Screen, Reason: "a surface; QEMU ends if it cannot"},
	{Call: "ftruncate", When: []Cond{none(1, surfaceBits)}, Need: Screen, Reason: "its size"},

	// Memory: never writable and executable, and nothing executable once the guest is prepared.
	{Call: "mmap", When: []Cond{none(2, protExec)}, Reason: "heap, stacks, guest memory"},
	{Call: "mprotect", When: []Cond{none(2, protExec)}, Reason: "guard pages, growing heaps, relocations"},
	{Call: "munmap", Reason: "stacks, large buffers"},
	{Call: "brk", Reason: "heap"},
	{Call: "madvise", When: []Cond{among(2, named{"MADV_DONTNEED", 4}, named{"MADV_DONTFORK", 10}, named{"MADV_HUGEPAGE", 14}, named{"MADV_DONTDUMP", 16},
		named{"MADV_GUARD_INSTALL", 102}, named{"MADV_GUARD_REMOVE", 103})},
		Reason: "freed memory, stacks and their guards, guest memory; merging (MADV_MERGEABLE) is not among these"},

	// Threads and time.
	{Call: "futex", Reason: "locks"},
	{Call: "clone", When: []Cond{exactly(0, threadFlags)}, Reason: "one more thread of the disk pool; no process, no namespace"},
	{Call: "clone3", Phase: Absent, Reason: "its flags lie in memory, where no filter sees them; glibc falls back to clone"},
	{Call: "set_robust_list", Phase: Absent, Reason: "for locks that outlive their owner, of which QEMU has none; glibc does without"},
	{Call: "rseq", Phase: Absent, Reason: "tells glibc on which processor it runs; it asks or does without"},
	{Call: "exit", Reason: "a thread of the disk pool after some idle seconds"},
	{Call: "exit_group", Reason: "the end"},
	{Call: "rt_sigprocmask", Reason: "coroutines, new threads"},
	{Call: "rt_sigreturn", Reason: "after a signal"},
	{Call: "restart_syscall", Reason: "after a stop in a wait"},
	{Call: "clock_nanosleep", Reason: "waits"},
	{Call: "clock_gettime", Reason: "on hosts whose clock cannot be read without a call"},
	{Call: "getrandom", Reason: "seeds, random bytes for guests"},
	{Call: "getpid", Need: KVM, Reason: "to wake a virtual processor"},
	{Call: "gettid", Need: KVM, Reason: "QEMU 11: a virtual processor's thread that wakes itself, at a reset"},
	{Call: "tgkill", Need: KVM, Reason: "to wake a virtual processor"},

	// Once, and never.
	{Call: "execve", Phase: Once, Reason: "the launcher's, into the hypervisor"},
	{Call: "io_uring_setup", Phase: Absent, Reason: "more of the kernel than any disk needs; QEMU falls back to threads"},

	// Requests to the devices that were handed in.
	{Call: "ioctl", When: []Cond{among(1, tapRun...)}, Need: NIC, Reason: "what a guest's driver agrees on"},
	{Call: "ioctl", When: []Cond{among(1, diskRun...)}, Need: Disk, Reason: "a guest's discard and write-zeroes, on a volume"},
	{Call: "ioctl", When: []Cond{among(1, kvmRun...)}, Need: KVM, Reason: "virtual processors, interrupts, memory map"},
	{Call: "ioctl", When: []Cond{among(1, debugRun...)}, Need: Debug, Reason: "a debugger's breakpoints and single steps"},
}
