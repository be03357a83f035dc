// Package host holds what this machine offers: facts that were probed, never
// assumed, and the decisions taken over them.
//
// Probing (probe_linux.go, probe_freebsd.go) and deciding are apart: Facts is
// plain data that `skep doctor --json` writes and `skep plan --host` reads, and
// every decision is a pure function over it that returns its reasons.
package host

import (
	"skep/internal/layer"
	"skep/internal/layout"
)

// FactsVersion is the version of the JSON form of Facts.
const FactsVersion = 1

// Facts is what one machine offers. The part of the other system is nil.
type Facts struct {
	Version int    `json:"version"`
	OS      string `json:"os"`               // "linux" or "freebsd"
	Arch    string `json:"arch"`             // as Go names it: "amd64", "arm64"
	Kernel  string `json:"kernel"`           // uname -r
	Distro  string `json:"distro,omitempty"` // family of Packages: "debian", "fedora", …
	CPUs    int    `json:"cpus"`
	Memory  int64  `json:"memory"` // bytes of RAM
	EUID    int    `json:"euid"`
	EGID    int    `json:"egid"`
	Dirs    Dirs   `json:"dirs"`
	Slots   Slots  `json:"slots"`
	// Identity tells this host from others, and nothing else of it: a digest of
	// machine-id(5), or kern.hostuuid. "" where there is none.
	Identity string `json:"identity,omitempty"`
	// MACs are the addresses that the cards of the cell in question had at an
	// earlier start, by label. They stay, whatever made them.
	MACs map[string]string `json:"macs,omitempty"`
	// Bridges are the names of the bridges that exist.
	Bridges []string `json:"bridges,omitempty"`

	// Job is set where the cell is to run for a job of a batch system.
	Job *Job `json:"job,omitempty"`

	Linux   *Linux   `json:"linux,omitempty"`
	FreeBSD *FreeBSD `json:"freebsd,omitempty"`
}

// Dirs are the three directories that flags and environment can move.
type Dirs = layout.Dirs

// Slots are what cells are numbered with. A running cell holds one slot, and
// its uid, its ruleset number and the names of its taps follow from it, so that
// no two cells can share any of them.
type Slots struct {
	Count int            `json:"count"`
	Taken map[string]int `json:"taken,omitempty"` // cell name -> slot
	// UIDBase is the first uid of the range; slot N has uid UIDBase+N. The gid
	// is the same number.
	UIDBase int `json:"uid_base"`
	// RulesetBase is the first devfs ruleset number (FreeBSD).
	RulesetBase int `json:"ruleset_base,omitempty"`
	// Clash says who else lays claim to the uids of the range: a line of
	// passwd(5), group(5) or subuid(5). "" when nobody does.
	Clash string `json:"clash,omitempty"`
}

// Linux is what a Linux host offers.
type Linux struct {
	QEMU    *QEMU  `json:"qemu,omitempty"`     // nil: not installed
	QEMUWhy string `json:"qemu_why,omitempty"` // why there is none
	// QEMUTried are the programs that cannot be used, each with its reason.
	QEMUTried []QEMUTried `json:"qemu_tried,omitempty"`
	// QEMUAsked is set where the environment names the one to use.
	QEMUAsked bool `json:"qemu_asked,omitempty"`

	KVM  KVM   `json:"kvm"`
	OVMF *OVMF `json:"ovmf,omitempty"` // nil: not installed
	// OVMFSecure is the firmware of secure_boot = true: its variables have the keys that most guests are signed by.
	OVMFSecure *OVMF `json:"ovmf_secure,omitempty"`
	// SWTPM is the program that TPMs are made of; "" where it is not installed.
	SWTPM    string                   `json:"swtpm,omitempty"`
	Cgroup   Cgroup                   `json:"cgroup"`
	SubID    *SubID                   `json:"subid,omitempty"` // the caller's range, without root
	Layers   map[layer.ID]layer.Probe `json:"layers"`
	Landlock int                      `json:"landlock_abi"` // 0: none
	TunTap   bool                     `json:"tuntap"`       // /dev/net/tun opens
	// UserNSRestricted is set where the distribution's AppArmor policy strips
	// unprivileged user namespaces of their capabilities (Ubuntu 23.10 and on).
	UserNSRestricted bool `json:"userns_restricted,omitempty"`
	// UserNSOff is the setting that forbids this caller any user namespace,
	// such as "user.max_user_namespaces=0"; "" where none does.
	UserNSOff string `json:"userns_off,omitempty"`
	// Around is what the caller was started in.
	Around Around `json:"around"`
	// TCG is what a trial of emulation said; nil where it was not tried.
	TCG *Trial `json:"tcg,omitempty"`
	// LayersWhy is set where the layers could not be probed.
	LayersWhy string `json:"layers_why,omitempty"`
}

// QEMU is the hypervisor of a Linux host with everything it opens.
type QEMU struct {
	Path    string `json:"path"`
	Version string `json:"version"` // "7.2.22"
	// Files is the ELF closure: the binary, its interpreter and the libraries,
	// each where the rootfs must have it.
	Files []File `json:"files"`
	// TCG is what emulation adds to Files: the module that QEMU opens late for
	// -accel tcg, with its libraries. Empty where TCG is built in.
	TCG []File `json:"tcg,omitempty"`
	// Modules are what a device adds to Files, by module name: a
	// "hw-display-virtio-vga" with the modules and libraries that it pulls in.
	Modules map[string][]File `json:"modules,omitempty"`
	// Data is the directory of ROM images that -L names in the rootfs.
	Data string `json:"data"`
	// ROMs are the ROM images of the host that a PC may ask for. Their Room is
	// Data and the name by which QEMU asks.
	ROMs []File `json:"roms"`
	// Stubs are what can be in the place of libraries that a cell's devices do not reach: nothing works in them.
	// Empty where this host cannot have them.
	Stubs []Stub `json:"stubs,omitempty"`
	// Linked is, for each file above by its place in the rootfs, what it has linked.
	Linked map[string]Linked `json:"linked,omitempty"`
}

// Stub is a library in the place of another one.
type Stub struct {
	File
	Library string `json:"library"` // "libpng16.so.16"
	Code    int64  `json:"code"`    // bytes of it that are mapped to be executed
}

// Linked is what a program or library has linked.
type Linked struct {
	Needs []string `json:"needs,omitempty"` // others, by their places
	Code  int64    `json:"code"`            // bytes of it that are mapped to be executed
}

// ROM finds one of ROMs by the name that QEMU asks for, which may have a
// directory in it ("keymaps/en-us").
func (q *QEMU) ROM(name string) (File, bool) {
	for _, f := range q.ROMs {
		if f.Inside == q.Data+"/"+name {
			return f, true
		}
	}
	return File{}, false
}

// File is a file of the host and the place where the rootfs has it.
type File struct {
	Host   string `json:"host"`
	Inside string `json:"room"`
}

// KVM says whether /dev/kvm can be had and whether it was seen to run a guest.
type KVM struct {
	Present bool   `json:"present"`
	Opens   bool   `json:"opens"`
	Tried   bool   `json:"tried"` // the built-in guest was run
	Works   bool   `json:"works"` // and greeted
	Why     string `json:"why,omitempty"`
	// CPU is the processor model that the trial ran with, "" for the best one.
	CPU string `json:"cpu,omitempty"`
	// Boot is the SHA-256 sum (hex) of what the cell at hand boots, filled in by
	// whoever plans it (BootFile, Sum); "" where nothing was refused yet.
	Boot string `json:"boot,omitempty"`
	// Node is the mode of /dev/kvm and its group, as "crw-rw---- kvm", for
	// people who may not open it.
	Node string `json:"node,omitempty"`
	// Software is set where KVM has no virtualization of the processor's behind
	// it (module kvm_pvm): it runs small guests, and Linux kernels hang on it
	// without a word.
	Software bool `json:"software,omitempty"`
	// Refused are the SHA-256 sums (hex) of firmwares and kernels on which this
	// KVM failed where TCG was then used.
	Refused []string `json:"refused,omitempty"`
}

// OVMF is the UEFI firmware of QEMU, split into code and variables.
type OVMF struct {
	Code string `json:"code"`
	Vars string `json:"vars"` // template, copied per cell
	// By says where the pair was found: a firmware descriptor or "known path".
	By string `json:"by,omitempty"`
}

// CgroupMode says which cgroup trees there are.
type CgroupMode string

// The three kinds of hosts.
const (
	CgroupV2     CgroupMode = "v2"
	CgroupV1     CgroupMode = "v1"
	CgroupHybrid CgroupMode = "hybrid" // Controllers on v1, an extra v2 tree
	CgroupNone   CgroupMode = "none"   // nothing that we may write to
)

// Cgroup is where cells get their limits.
type Cgroup struct {
	Mode CgroupMode `json:"mode"`
	// V2 is the directory under which cells get theirs, "" without a v2 tree
	// that we may write to. It need not exist; its parent does.
	V2 string `json:"v2,omitempty"`
	// V1 maps a controller ("memory", "pids", "cpu") to such a directory.
	V1 map[string]string `json:"v1,omitempty"`
	// Controllers can be limited with: "memory", "pids", "cpu".
	Controllers []string `json:"controllers,omitempty"`
	Why         string   `json:"why,omitempty"` // why a controller is missing
	// ReadOnly is a tree that is mounted and cannot be written to, where there is
	// no other; Closed: there are trees in which no directory can be made.
	ReadOnly string `json:"read_only,omitempty"`
	Closed   bool   `json:"closed,omitempty"`
	// Parent is the group below which they are, where that was asked for: a path in the trees, or CgroupAuto for
	// that of the caller. Below are its directories, as far as it is not the top of a tree, and Limit is what
	// it leaves of memory, in bytes; 0 is no limit.
	Parent string   `json:"parent,omitempty"`
	Below  []string `json:"below,omitempty"`
	Limit  int64    `json:"limit,omitempty"`
	// Own is where the caller has to go first, in the v2 tree: a group with processes of its own hands no
	// controller down. "" where it need not.
	Own string `json:"own,omitempty"`
}

// CgroupAuto is the caller's own control group, and CgroupHost where a cell has its group without a job.
const (
	CgroupAuto = "auto"
	CgroupHost = "host"
)

// SubID is a range of subordinate uids and gids of the caller.
type SubID struct {
	UIDStart int `json:"uid_start"`
	UIDCount int `json:"uid_count"`
	GIDStart int `json:"gid_start"`
	GIDCount int `json:"gid_count"`
}

// RefusedMemory is the name under which KVM's failures are remembered; the
// doctor tells people of it.
const RefusedMemory = "kvm-refused.json"

// Clone is a copy whose own fields can be changed; what lists and maps hold is
// shared.
func (f Facts) Clone() Facts {
	if f.Linux != nil {
		l := *f.Linux
		f.Linux = &l
	}
	if f.FreeBSD != nil {
		b := *f.FreeBSD
		f.FreeBSD = &b
	}
	return f
}
