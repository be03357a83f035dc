package layer

// The layers, outermost first: what the hypervisor can reach, then who it is, then what it may do.
const (
	UserNamespace    ID = "user-namespace"
	MountNamespace   ID = "mount-namespace"
	PIDNamespace     ID = "pid-namespace"
	NetworkNamespace ID = "network-namespace"
	IPCNamespace     ID = "ipc-namespace"
	UTSNamespace     ID = "uts-namespace"
	CgroupNamespace  ID = "cgroup-namespace"
	TimeNamespace    ID = "time-namespace"
	PrivateRoot      ID = "private-root"
	EmptyRootfs      ID = "empty-room"
	ClosedFDs        ID = "closed-fds"
	EmptyEnv         ID = "empty-env"
	Keyring          ID = "keyring"
	OwnUID           ID = "own-uid"
	NoGroups         ID = "no-groups"
	Capabilities     ID = "capabilities"
	NoNewPrivs       ID = "no-new-privs"
	CgroupMemory     ID = "cgroup-memory"
	CgroupPids       ID = "cgroup-pids"
	CgroupCPU        ID = "cgroup-cpu"
	RLimits          ID = "rlimits"
	NoCore           ID = "no-core"
	OOMScore         ID = "oom-score"
	ASLR             ID = "aslr"
	WXMDWE           ID = "wx-mdwe"
	WXSeccomp        ID = "wx-seccomp"
	KSMOff           ID = "ksm-off"
	CoreScheduling   ID = "core-scheduling"
	Landlock         ID = "landlock"
	Seccomp          ID = "seccomp"
	OneExec          ID = "one-exec"
	TwoPhases        ID = "two-phases"
)

// What a caller may have to be, in the words of `doctor`.
const (
	root       = "root"
	rootOrSub  = "root, or a range in /etc/subuid and /etc/subgid"
	cgroupTree = "root, or a delegated cgroup"
)

// Table is every layer. Its order is the order of every report.
var Table = []Layer{
	{ID: UserNamespace, Kernel: "3.8", Seen: "/proc/PID/ns/user",
		Does: "the hypervisor's user and groups mean nothing on the host; every later layer can be had without root"},
	{ID: MountNamespace, Kernel: "3.8", Seen: "/proc/PID/ns/mnt",
		Does: "the host's file systems are not in sight"},
	{ID: PIDNamespace, Kernel: "3.8", Seen: "/proc/PID/ns/pid",
		Does: "no process of the host can be named, so none can be signalled or traced"},
	{ID: NetworkNamespace, Kernel: "3.8", Seen: "/proc/PID/ns/net",
		Does: "no network device, address or abstract socket of the host is accessible"},
	{ID: IPCNamespace, Kernel: "3.8", Seen: "/proc/PID/ns/ipc",
		Does: "no System V or POSIX queue or shared memory of the host is accessible"},
	{ID: UTSNamespace, Kernel: "3.8", Seen: "/proc/PID/ns/uts",
		Does: "the host's name is not told"},
	{ID: CgroupNamespace, Kernel: "4.6", Seen: "/proc/PID/ns/cgroup",
		Does: "the host's cgroup tree is not told"},
	{ID: TimeNamespace, Kernel: "5.6", Optional: true, Seen: "/proc/PID/ns/time",
		Does: "no namespace at all is shared with the host, not even the one of its clocks"},
	{ID: PrivateRoot, Kernel: "5.12", Seen: "/proc/PID/mountinfo",
		Does: "the root is a small read-only tmpfs that holds the planned files and no others"},
	{ID: EmptyRootfs, Kernel: "5.12", Seen: "/proc/PID/root",
		Does: "once the guest is prepared, not even the planned files are left"},
	{ID: ClosedFDs, Kernel: "5.9", Seen: "/proc/PID/fd",
		Does: "no descriptor is open but the planned ones"},
	{ID: EmptyEnv, Kernel: "2.6", Seen: "/proc/PID/environ",
		Does: "no variable of the caller's reaches the hypervisor"},
	{ID: Keyring, Kernel: "2.6.10", Seen: "recorded",
		Does: "a session keyring of its own; the caller's keys are not accessible"},
	{ID: OwnUID, Kernel: "3.8", Privilege: rootOrSub, Seen: "/proc/PID/status Uid, Gid",
		Does: "a user and a group that are no one else's: no file or process of the host or of another cell belongs to them"},
	{ID: NoGroups, Kernel: "3.8", Privilege: rootOrSub, Seen: "/proc/PID/status Groups",
		Does: "no supplementary groups"},
	{ID: Capabilities, Kernel: "2.6.25", Seen: "/proc/PID/status Cap*",
		Does: "all five capability sets are empty, and securebits keep them so"},
	{ID: NoNewPrivs, Kernel: "3.5", Seen: "/proc/PID/status NoNewPrivs",
		Does: "no exec gives more rights"},
	{ID: CgroupMemory, Kernel: "2.6.25", Privilege: cgroupTree, Seen: "memory.max or memory.limit_in_bytes",
		Does: "a bound on all memory, that of the kernel on the cell's behalf and of its root too"},
	{ID: CgroupPids, Kernel: "4.3", Privilege: cgroupTree, Seen: "pids.max",
		Does: "a bound on processes and threads"},
	{ID: CgroupCPU, Kernel: "3.2", Privilege: cgroupTree, Seen: "cpu.max or cpu.cfs_quota_us",
		Does: "a bound on processor time"},
	{ID: RLimits, Kernel: "2.6", Seen: "/proc/PID/limits",
		Does: "bounds on open files, processes, locked memory and the like"},
	{ID: NoCore, Kernel: "2.6", Seen: "/proc/PID/limits Max core file size",
		Does: "a crash writes no guest memory to the host's disk"},
	{ID: OOMScore, Kernel: "2.6.36", Seen: "/proc/PID/oom_score_adj",
		Does: "when the host runs out of memory a cell goes before the host's own services"},
	{ID: ASLR, Kernel: "2.6.12", Seen: "/proc/PID/personality",
		Does: "addresses are random, and readable memory is not made executable, whatever the caller's personality"},
	{ID: WXMDWE, Kernel: "6.3", Substitute: WXSeccomp, Seen: "recorded",
		Does: "the kernel refuses memory that is writable and executable, or that becomes executable"},
	{ID: WXSeccomp, Kernel: "3.5", Seen: "/proc/PID/maps",
		Does: "the filter refuses the same by the arguments of mmap and mprotect"},
	{ID: KSMOff, Kernel: "6.4", Seen: "recorded",
		Does: "no page is merged with another cell's, so none can be told by timing"},
	{ID: CoreScheduling, Kernel: "5.14", Optional: true, Seen: "recorded",
		Does: "no foreign thread runs on the sibling of a core while the cell does"},
	{ID: Landlock, Kernel: "5.13", Seen: "recorded",
		Does: "a second, independent refusal of files, devices, TCP, foreign signals and abstract sockets"},
	{ID: Seccomp, Kernel: "5.5", Seen: "/proc/PID/status Seccomp",
		Does: "calls that the policy does not allow are refused, and those of the table of never in the start, too"},
	{ID: OneExec, Kernel: "5.5", Seen: "recorded",
		Does: "the hypervisor's own start is the one exec there will ever be"},
	{ID: TwoPhases, Kernel: "5.5", Seen: "recorded",
		Does: "once the guest is prepared, no call but the policy's is granted any more"},
}
