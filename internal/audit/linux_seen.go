package audit

import (
	"skep/internal/jail"
)

// linuxSeen is one live process of a Linux host as its kernel shows it. It is read once, from outside
// (observe_linux.go), and changes nothing. What could not be read is empty, and its row says unknown.
//
// It can be written to a file, so that judging is tested with what real hosts have shown.
type linuxSeen struct {
	PID int `json:"pid"`
	// ByRoot says that root looked: nobody else may enter its namespaces.
	ByRoot bool              `json:"by_root"`
	Status map[string]string `json:"status"` // /proc/PID/status
	NS     map[string]string `json:"ns"`     // namespace -> "type:[inode]"
	HostNS map[string]string `json:"host_ns"`
	// InNamespace, SameUID, SameGID and InCgroup are other processes that are in its namespaces, have its
	// user or group, or are in its control group of a tree.
	InNamespace map[string][]string `json:"in_namespace"`
	SameUID     []string            `json:"same_uid"`
	SameGID     []string            `json:"same_gid"`
	InCgroup    map[string][]string `json:"in_cgroup"`

	Mounts []linuxMount `json:"mounts"`
	Files  []string     `json:"files"`
	Nodes  []string     `json:"nodes"`
	Unread []string     `json:"unread"` // below the root, directories that could not be read

	FDs     []Descriptor      `json:"fds"`
	Sockets map[uint64]string `json:"sockets"` // inode -> name, from the host's tables
	// Peers are which UNIX socket is connected with which, by inode, as far as the kernel tells whoever looks.
	Peers map[uint64]uint64 `json:"peers,omitempty"`
	// PlanFiles are the files that the plan hands in, as the host has them now.
	PlanFiles map[string]fileID `json:"plan_files"`
	Environ   int               `json:"environ"` // bytes; -1 where it cannot be read

	Limits map[string][2]uint64 `json:"limits"` // as prlimit(1) names them -> soft, hard
	// Cgroups are its control groups, by v1 controller or "v2"; Frozen is the one that is frozen, and Groups
	// is what those of the plan hold.
	Cgroups map[string]string    `json:"cgroups"`
	Frozen  string               `json:"frozen"`
	Groups  map[string]groupSeen `json:"groups"`
	OOM     string               `json:"oom"`

	Devices     []string `json:"devices"` // network devices
	Address     []string `json:"address"` // network addresses
	AddressRead bool     `json:"address_read"`

	Areas   []linuxArea   `json:"areas"`
	Persona string        `json:"persona"`
	Threads []linuxThread `json:"threads"`
	UIDMap  string        `json:"uid_map"`
	GIDMap  string        `json:"gid_map"`
	Exe     *Program      `json:"exe"`
	// Standing is how it is run, and how its namespaces are set.
	Standing jail.Standing `json:"standing"`

	Randomize string `json:"randomize"` // kernel.randomize_va_space of the host
	PageSize  uint64 `json:"page_size"`

	// Worker is who speaks with it, where it lives; Services are the networks and captures of its cards, by the IDs
	// of their resources.
	Worker   *workerSeen             `json:"worker,omitempty"`
	Services map[string]*serviceSeen `json:"services,omitempty"`

	linksSeen
}

// Descriptor is one open file of the process.
type Descriptor struct {
	Number int    `json:"number"`
	Target string `json:"target"` // what /proc/PID/fd says: a path, "socket:[N]", "anon_inode:[eventfd]"
	Flags  int64  `json:"flags"`  // open flags, from fdinfo
	Dev    uint64 `json:"dev"`    // of the file it refers to
	Inode  uint64 `json:"inode"`
}

// fileID tells a file from any other.
type fileID struct {
	Dev   uint64 `json:"dev"`
	Inode uint64 `json:"inode"`
}

// linuxMount is one line of mountinfo.
type linuxMount struct {
	Point   string `json:"point"`
	Options string `json:"options"`
	Kind    string `json:"kind"`
}

// linuxArea is one mapping of memory.
type linuxArea struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	Mode string `json:"mode"` // as /proc/PID/maps has it: "rw-p"
	File bool   `json:"file"` // it is of a file
}

// nameless is a UNIX socket that is bound to no name.
const nameless = "unix socket without a name"

// linuxThread is one thread of the process.
type linuxThread struct {
	Status    map[string]string `json:"status"`
	NS        map[string]string `json:"ns"`
	Cgroups   map[string]string `json:"cgroups"`
	Scheduler string            `json:"scheduler"` // its policy and priority
}

// groupSeen is what a control group of the plan holds.
type groupSeen struct {
	Below []string          `json:"below"` // groups in it
	Files map[string]string `json:"files"` // its limits, as far as they can be read
	// Absent are files that this kernel does not have.
	Absent []string `json:"absent,omitempty"`
}

// namespaces are the links in /proc/PID/ns, by the names of namespaces(7).
var namespaces = []string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"}
