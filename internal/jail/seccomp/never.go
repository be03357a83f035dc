package seccomp

import "strings"

// A ban is a row of the table of never: calls that not even the start may make.
type ban struct {
	calls  string // separated by spaces
	when   []Cond // none: whatever the arguments
	errno  uint32 // 0 is EPERM; ENOSYS is for calls that programs then do without
	reason string
}

// Constants of the kernel's headers for the table of never.
var (
	threadBits = named{"CLONE_VM|SIGHAND|THREAD", 0x10900}
	spaceBits  = named{"CLONE_NEW*", 0x7e020080} // NEWNS, CGROUP, UTS, IPC, USER, PID, NET, TIME
	shmExec    = named{"SHM_EXEC", 0o100000}
)

// bans is the table of never. Until the guest runs, all else is allowed: a new release of a C library
// or of QEMU asks for other calls than the one before, and the program is the trusted one as
// installed. But it reads images, variables and kernels then that are not trusted, so whoever takes it
// over by them must be stopped as well: nothing here leaves a way out of the jail, makes a process or
// a namespace, touches another process, changes who the hypervisor is or what it may, or reaches parts
// of the kernel that no start needs and that have been broken into before.
var bans = []ban{
	// Programs and processes: the jail holds one program and its threads.
	{calls: "fork vfork", reason: "no process but the hypervisor"},
	{calls: "clone", when: []Cond{lacks(0, threadBits)}, reason: "threads only, no process"},
	{calls: "clone", when: []Cond{some(0, spaceBits)}, reason: "no new namespace"},
	{calls: "unshare setns", reason: "no namespace but its own"},
	{calls: "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_open pidfd_getfd pidfd_send_signal",
		reason: "no other process is read, changed or signalled"},

	// The root: it is finished, and closed to all other ways in.
	{calls: "mount umount2 pivot_root chroot fsopen fsconfig fsmount fspick open_tree open_tree_attr move_mount mount_setattr statmount listmount listns",
		reason: "the rootfs stays as it was made"},
	{calls: "mknod mknodat", reason: "no device but the planned ones"},
	{calls: "open_by_handle_at name_to_handle_at", reason: "a file handle leads past every path"},
	{calls: "fanotify_init fanotify_mark", reason: "whole file systems would be watched"},
	{calls: "swapon swapoff quotactl quotactl_fd acct", reason: "the host's, not a guest's"},

	// Sockets: those that are handed in, and no others.
	{calls: "socket socketpair connect bind", reason: "no socket that is not handed in reaches anywhere"},
	{calls: "setsockopt", when: []Cond{among(2, named{"SO_ATTACH_FILTER", 26}, named{"SO_ATTACH_BPF", 50},
		named{"SO_ATTACH_REUSEPORT_CBPF", 51}, named{"SO_ATTACH_REUSEPORT_EBPF", 52})}, reason: "no program for the kernel to run"},

	// Parts of the kernel that have been ways into it, and that no start needs.
	{calls: "bpf", reason: "no program for the kernel to run"},
	{calls: "io_uring_setup io_uring_enter io_uring_register", errno: enosys, reason: "a second way to make calls, which no filter sees; QEMU falls back to threads"},
	{calls: "userfaultfd", errno: enosys, reason: "holds the kernel up in the middle of a copy"},
	{calls: "perf_event_open", reason: "measures other programs"},
	{calls: "add_key request_key keyctl", errno: enosys, reason: "keys of others; an old attack surface"},
	{calls: "init_module finit_module delete_module kexec_load kexec_file_load reboot", reason: "the host's, not a guest's"},
	{calls: "iopl ioperm modify_ldt uselib", reason: "hardware, and remains of old systems"},
	{calls: "vmsplice", reason: "lends pages to a pipe, through which files that are read-only were written (CVE-2022-0847)"},
	{calls: "madvise", when: []Cond{among(2, named{"MADV_MERGEABLE", 12})}, reason: "pages merged with another cell's tell by timing what is in them"},
	{calls: "move_pages migrate_pages", reason: "tells and changes where pages lie"},
	{calls: "memfd_secret", errno: enosys, reason: "memory that the audit cannot read"},
	{calls: "syslog lookup_dcookie", reason: "the kernel's messages and addresses"},

	// Who it is, and what it may: settled before its first instruction.
	{calls: "setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset", reason: "its user, groups and capabilities are settled"},
	{calls: "seccomp", errno: enosys, reason: "the filters are the launcher's"},
	{calls: "prctl", when: []Cond{among(0, named{"PR_SET_SECCOMP", 22}, named{"PR_SET_DUMPABLE", 4}, named{"PR_SET_PTRACER", 0x59616d61},
		named{"PR_SET_MM", 35}, named{"PR_SET_MEMORY_MERGE", 67}, named{"PR_SCHED_CORE", 62}, named{"PR_SET_CHILD_SUBREAPER", 36})},
		reason: "filters, tracing, sharing of pages and of cores are settled"},
	{calls: "lsm_set_self_attr", reason: "its label is settled"},
	{calls: "setrlimit", reason: "its limits are settled"},
	{calls: "sched_setaffinity", reason: "its place beside another cell would last"},
	{calls: "prlimit64", when: []Cond{notNull(2, "the new limit")}, reason: "its limits are settled"},
	{calls: "personality", when: []Cond{notAmong(0, named{"a question", 0xffffffff})}, reason: "its addresses stay random, its data no code"},
	{calls: "settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname", reason: "the host's, not a guest's"},

	// Memory is writable or executable, where the kernel does not see to that by itself (MDWE).
	{calls: "mmap", when: []Cond{all(2, named{"PROT_WRITE|PROT_EXEC", 6})}, reason: "no memory that is writable and executable"},
	{calls: "mprotect", when: []Cond{all(2, protExec)}, reason: "what was data is never executed"},
	{calls: "pkey_mprotect", reason: "mprotect by another name"},
	{calls: "shmat", when: []Cond{all(2, shmExec)}, reason: "what was data is never executed"},

	// Requests that reach past the file that they are made of.
	{calls: "ioctl", when: []Cond{among(1, bannedRequests...)}, reason: "another terminal, network card or disk than the one handed in, and parts of KVM that no cell has a use for"},
}

// never is bans, a row a call.
var never = func() (rows []Row) {
	for _, b := range bans {
		for call := range strings.FieldsSeq(b.calls) {
			rows = append(rows, Row{Call: call, When: b.when, Phase: Never, Errno: b.errno, Reason: b.reason})
		}
	}
	return rows
}()

// Refuses says whether the start may not make a call, and what it gets then: the row of the table of
// never, if there is one. All that it looks at are the registers of the caller, which nobody else can
// change while it waits.
func (p Policy) Refuses(arch Arch, number uint32, args [6]uint64) (Row, bool) {
	for _, row := range p.Never {
		if n, here := arch.Number(row.Call); here && n == number && row.holds(args) {
			return row, true
		}
	}
	return Row{}, false
}

func (r Row) holds(args [6]uint64) bool { return holdAll(r.When, args) }

func holdAll(when []Cond, args [6]uint64) bool {
	for _, c := range when {
		if !c.holds(args[c.Arg]) {
			return false
		}
	}
	return true
}

func (c Cond) holds(v uint64) bool {
	if c.Width == Int {
		v = uint64(uint32(v))
	}
	for _, want := range c.In {
		if v&c.Mask == want {
			return !c.Not
		}
	}
	return c.Not
}
