package seccomp

// QEMUImg is the policy of a qemu-img at work on images that are handed in. It holds from the moment in
// which the first of them is handed in: the program is loaded then and has read nothing of it. What each
// row is for was seen under strace(1) with QEMU 7.2 to 11.1. There is no row that opens, makes or names a
// file: opens of what is handed in are answered by the listener.
func QEMUImg() Policy { return Policy{Rows: qemuImg, Never: never} }

// imageRun are the requests of an image file or volume.
var imageRun = []named{
	{"FS_IOC_FSGETXATTR", 0x801c581f},
	{"FS_IOC_FSSETXATTR", 0x401c5820},
	{"XFS_IOC_DIOINFO", 0x800c581e},
	{"BLKSSZGET", 0x1268},
	{"BLKGETSIZE64", 0x80081272},
	{"BLKROGET", 0x125e},
	{"TCGETS", 0x5401},
	{"BLKDISCARD", 0x1277},
	{"BLKZEROOUT", 0x127f},
}

var qemuImg = []Row{
	// The images, which are open.
	{Call: "read", Reason: "what wakes the main loop"},
	{Call: "write", Reason: "what it says, and what wakes the main loop"},
	{Call: "pread64", Reason: "images"},
	{Call: "pwrite64", Reason: "images"},
	{Call: "preadv", Reason: "images, in pieces"},
	{Call: "pwritev", Reason: "images, in pieces"},
	{Call: "lseek", Reason: "the size of an image, and where its holes are"},
	{Call: "fdatasync", Reason: "a written image is on the disk before the end"},
	{Call: "ftruncate", Reason: "the size of a new image"},
	{Call: "fallocate", When: []Cond{zeroing}, Reason: "zeros and holes"},
	{Call: "copy_file_range", Reason: "from raw to raw, in the kernel"},
	{Call: "fstat", Reason: "what an image is; its path is empty from glibc 2.33 on"},
	{Call: "newfstatat", Reason: "the same; a name leads nowhere in an empty rootfs"},
	{Call: "fstatfs", Reason: "whether it lies on XFS or NFS"},
	{Call: "close", Reason: "images"},
	{Call: "fcntl", When: []Cond{among(1, named{"F_GETFL", 3}, named{"F_SETFL", 4}, named{"F_DUPFD_CLOEXEC", 1030},
		named{"F_OFD_GETLK", 36}, named{"F_OFD_SETLK", 37})}, Reason: "image locks, non-blocking event descriptors"},
	{Call: "ioctl", When: []Cond{among(1, imageRun...)}, Reason: "sector and extent sizes, zeros on a volume"},
	{Call: "ppoll", Reason: "the main loop"},
	{Call: "poll", Reason: "the main loop"},

	// Memory: never executable from here on.
	{Call: "mmap", When: []Cond{none(2, protExec), none(3, mapShared)}, Reason: "buffers, stacks; shared memory would not count as data"},
	{Call: "mprotect", When: []Cond{none(2, protExec)}, Reason: "guard pages, growing heaps"},
	{Call: "munmap", Reason: "buffers, stacks"},
	{Call: "brk", Reason: "heap"},
	{Call: "madvise", When: []Cond{among(2, named{"MADV_DONTNEED", 4},
		named{"MADV_GUARD_INSTALL", 102}, named{"MADV_GUARD_REMOVE", 103})}, Reason: "freed memory, stacks and their guards"},

	// Threads and time.
	{Call: "futex", Reason: "locks"},
	{Call: "clone", When: []Cond{exactly(0, threadFlags)}, Reason: "one more thread of the pool; no process, no namespace"},
	{Call: "clone3", Phase: Absent, Reason: "its flags lie in memory, where no filter sees them; glibc falls back to clone"},
	{Call: "set_robust_list", Phase: Absent, Reason: "for locks that outlive their owner; glibc does without"},
	{Call: "rseq", Phase: Absent, Reason: "tells glibc on which processor it runs; it does without"},
	{Call: "exit", Reason: "a thread of the pool after some idle seconds"},
	{Call: "exit_group", Reason: "the end"},
	{Call: "rt_sigprocmask", Reason: "coroutines, new threads"},
	{Call: "rt_sigaction", Reason: "the C library's handler for its own threads' signals"},
	{Call: "rt_sigreturn", Reason: "after a signal"},
	{Call: "restart_syscall", Reason: "after a stop in a wait"},
	{Call: "clock_nanosleep", Reason: "waits"},
	{Call: "clock_gettime", Reason: "on hosts whose clock cannot be read without a call"},
	{Call: "getrandom", Reason: "the identifier of a new image"},

	// Once, and never.
	{Call: "sendmsg", Reason: "the launcher hands the listener to its caller, on a socket that the exec closes"},
	{Call: "execve", Phase: Once, Reason: "the launcher's, into qemu-img"},
	{Call: "io_uring_setup", Phase: Absent, Reason: "more of the kernel than an image needs; QEMU falls back to threads"},
}
