// Package cell holds the cell file: what one virtual machine and the jail
// around its hypervisor shall be.
//
// It parses HCL into a Cell, fills in defaults and reports every mistake of a
// file in one pass, each with file, line and column. It has no operating
// system in it and does no I/O: whether a disk exists or a bridge is there is
// asked later, by whoever takes the plan.
package cell

import "time"

// Cell is one virtual machine and the jail around its hypervisor. A Cell that
// came out of Parse is complete (defaults are filled in) and valid.
type Cell struct {
	Name        string        `json:"name"`
	CPUs        int           `json:"cpus"`
	Memory      Size          `json:"memory"`
	Boot        Boot          `json:"boot"`
	SecureBoot  bool          `json:"secure_boot,omitempty"`
	Kernel      *Kernel       `json:"kernel,omitempty"`
	Accel       Accel         `json:"accel"`
	Disks       []Disk        `json:"disks,omitempty"`
	Files       []Files       `json:"files,omitempty"`
	Seed        *Seed         `json:"seed,omitempty"`
	Results     []Results     `json:"results,omitempty"`
	NICs        []NIC         `json:"nics,omitempty"`
	Bridges     []Bridge      `json:"bridges,omitempty"`
	Shares      []Share       `json:"shares,omitempty"`
	Passthru    []Passthru    `json:"passthru,omitempty"`
	Screen      *Screen       `json:"screen,omitempty"`
	Console     Console       `json:"console"`
	GDB         *GDB          `json:"gdb,omitempty"`
	TPM         *TPM          `json:"tpm,omitempty"`
	Identity    *Identity     `json:"identity,omitempty"`
	Clock       *Clock        `json:"clock,omitempty"`
	Pools       []Pool        `json:"pools,omitempty"`
	Access      []Access      `json:"access,omitempty"`
	Jail        Jail          `json:"jail"`
	Start       Start         `json:"start"`
	After       []string      `json:"after,omitempty"`
	Restart     Restart       `json:"restart"`
	RestartMax  RestartMax    `json:"restart_limit"`
	StopTimeout time.Duration `json:"stop_timeout"` // nanoseconds in JSON
	// TimeLimit is how long the cell may run, 0 for as long as it likes.
	TimeLimit time.Duration `json:"time_limit,omitempty"`
	// OnEvent is a program that is run with each event of the cell.
	OnEvent string `json:"on_event,omitempty"`
	// Evidence: what a run was is kept from before its first instruction on.
	Evidence   bool       `json:"evidence,omitempty"`
	Hypervisor Hypervisor `json:"hypervisor"`
	// Template is what the guest is restored from, or made into; no cell file says it.
	Template *TemplateRef `json:"template,omitempty"`

	// File is the path of the cell file as the user named it, or "" for a
	// built-in cell.
	File string `json:"file,omitempty"`
	// NameInFile is the name that the file gives a cell which was given another
	// one on the command line; "" where the two are the same.
	NameInFile string `json:"name_in_file,omitempty"`
	// Sources says which line of the cell file asked for a thing. The keys are
	// attribute paths such as "cpus", "disk.disk-01.file", "jail.limits.cpu",
	// and block paths such as "disk.disk-01" or "screen". What is not in it is
	// a default.
	Sources map[string]Pos `json:"sources,omitempty"`
}

// MaxTimeLimit is the longest TimeLimit.
const MaxTimeLimit = 365 * 24 * time.Hour

// Pos is a place in a cell file. Line and Column count from 1, Column in
// characters as an editor shows them.
type Pos struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// Boot is what the virtual machine executes first.
type Boot struct {
	Kind BootKind `json:"kind"`
	// Path is the firmware file of BootFirmware.
	Path string `json:"path,omitempty"`
	// Loader configures bhyveload(8) for BootLoader.
	Loader *Loader `json:"loader,omitempty"`
}

// BootKind says which of the ways to boot a cell uses.
type BootKind string

// The ways to boot. In a cell file `boot = "hello"`, `"uefi"`, `"loader"` or
// a path of a firmware file; a kernel block makes it BootKernel.
const (
	BootHello    BootKind = "hello"    // the built-in guest; the default
	BootUEFI     BootKind = "uefi"     // the host's UEFI firmware for this hypervisor
	BootBIOS     BootKind = "bios"     // SeaBIOS (Linux hosts only)
	BootFirmware BootKind = "firmware" // a firmware file of the user's
	BootKernel   BootKind = "kernel"   // direct kernel boot (Linux hosts only)
	BootLoader   BootKind = "loader"   // bhyveload(8), jailed too (FreeBSD hosts only)
)

// Kernel is a direct kernel boot.
type Kernel struct {
	Image   string `json:"image"`
	Initrd  string `json:"initrd,omitempty"`
	Cmdline string `json:"cmdline,omitempty"`
}

// Loader configures bhyveload(8).
type Loader struct {
	Env []string `json:"env,omitempty"` // name=value, as -e takes it
	OS  string   `json:"os,omitempty"`  // another userboot.so, as -l takes it
	// HostPath is a directory of the host that the loader sees as host:, as -h
	// takes it: a relaxation.
	HostPath string `json:"host_path,omitempty"`
}

// Accel is the way guest instructions are executed on a Linux host.
type Accel string

// The accelerators. AccelAuto tries KVM and falls back to TCG with a word.
const (
	AccelAuto Accel = "auto"
	AccelKVM  Accel = "kvm"
	AccelTCG  Accel = "tcg"
)

// Disk is one disk of the guest. Exactly one of File, Zvol, ISO, Device, Base and
// Image is set.
type Disk struct {
	Label string `json:"label"`
	File  string `json:"file,omitempty"`
	// Base is an image file that the guest sees below a layer of the cell's own:
	// it is read, and what the guest writes goes into the layer. Image is one of
	// skep's store, by its name.
	Base       string `json:"base,omitempty"`
	Image      string `json:"image,omitempty"`
	Disposable bool   `json:"disposable,omitempty"` // the layer is made at each start and goes at the end
	// Frozen is a layer of a template's between the base and the cell's own, by its path; only read.
	Frozen string `json:"frozen,omitempty"`
	// Format is that of File or Base; raw unless said, or the name of a base ends in .qcow2.
	Format   DiskFormat `json:"format,omitempty"`
	Zvol     string     `json:"zvol,omitempty"` // dataset name, without /dev/zvol
	ISO      string     `json:"iso,omitempty"`
	Device   string     `json:"device,omitempty"`   // a raw device node of the host, by path: a relaxation
	Size     Size       `json:"size,omitempty"`     // create it with this size when it is missing; a layer is at least as large
	Reserved bool       `json:"reserved,omitempty"` // zvol created with its space reserved
	ReadOnly bool       `json:"read_only,omitempty"`
	Model    string     `json:"model"` // "virtio" (default), "ahci", "nvme"
	// Made says what it is made of, of a disk that no disk block describes; see Drives.
	Made Made `json:"made,omitempty"`
	// Results is what a disk for results is made as.
	Results ResultsFormat `json:"results,omitempty"`
}

// Layered says whether the guest writes to a layer of the cell's own.
func (d Disk) Layered() bool { return d.Base != "" || d.Image != "" }

// DiskFormat is the format of an image file.
type DiskFormat string

// The image formats.
const (
	FormatRaw   DiskFormat = "raw"
	FormatQcow2 DiskFormat = "qcow2"
)

// NIC is one network card of the guest.
type NIC struct {
	Label  string `json:"label"`
	Bridge string `json:"bridge,omitempty"` // a tap of ours is added to this bridge
	Tap    string `json:"tap,omitempty"`    // the admin's own tap instead; never created or destroyed
	// Network is a network in user space instead: NetworkSinkhole. It needs no root.
	Network string            `json:"network,omitempty"`
	Segment string            `json:"segment,omitempty"` // of NetworkLab: which one; DefaultSegment unless said
	Allow   []string          `json:"allow,omitempty"`   // of NetworkUser: what it leads to
	DNS     map[string]string `json:"dns,omitempty"`     // of a sinkhole: addresses of names
	Answers []Answer          `json:"answers,omitempty"` // of a sinkhole: what is answered with a file
	// VLAN, Isolated, RateIn and RateOut are of the tap on Bridge: which VLAN the guest is in, whether it is apart from
	// other isolated ones, and bytes a second to the guest and from it.
	VLAN     int  `json:"vlan,omitempty"`
	Isolated bool `json:"isolated,omitempty"`
	RateIn   Size `json:"rate_in,omitempty"`
	RateOut  Size `json:"rate_out,omitempty"`
	// Capture has every frame of the card written down, the newest CaptureSize of them.
	Capture     bool   `json:"capture,omitempty"`
	CaptureSize Size   `json:"capture_size,omitempty"`
	MAC         string `json:"mac"`   // lower case; made from cell name and label unless given
	Model       string `json:"model"` // "virtio" (default), "e1000"
}

// NetworkSinkhole is a network that answers everything and leads nowhere; NetworkUser leads to what Allow
// names, and nowhere else; NetworkLab to the other cells on its segment.
const (
	NetworkSinkhole = "sinkhole"
	NetworkUser     = "user"
	NetworkLab      = "lab"
)

// DefaultSegment is the segment of a card on a NetworkLab that names none.
const DefaultSegment = "lab"

// UserSpace says whether the card is on a network in user space, and has no tap.
func (n NIC) UserSpace() bool { return n.Network != "" }

// Answer is a file that a sinkhole answers with.
type Answer struct {
	Of   string `json:"of"` // "http", "https", "tcp-4444", "udp-123"
	File string `json:"file"`
}

// Bridge is a bridge(4) or Linux bridge that the cell names. Without Create
// it is the admin's and only looked for.
type Bridge struct {
	Name   string `json:"name"`
	Create bool   `json:"create,omitempty"`
	Uplink string `json:"uplink,omitempty"`
}

// Share is a directory of the host shown to the guest over 9P (FreeBSD; a
// relaxation).
type Share struct {
	Label    string `json:"label"`
	Path     string `json:"path"`
	ReadOnly bool   `json:"read_only,omitempty"`
}

// Passthru hands a PCI device of the host to the guest (FreeBSD; a
// relaxation).
type Passthru struct {
	Label string `json:"label"`
	PCI   string `json:"pci"` // "bus/slot/function"
}

// Screen is the guest's frame buffer.
type Screen struct {
	// Listen is "host:port", or "" for a UNIX socket in the run directory.
	Listen       string `json:"listen,omitempty"`
	Width        int    `json:"width"`
	Height       int    `json:"height"`
	PasswordFile string `json:"password_file,omitempty"`
	Wait         bool   `json:"wait,omitempty"` // boot only once a viewer is there (bhyve's fbuf wait)
}

// Console is the serial console. It is always there and always logged.
type Console struct {
	LogSize Size   `json:"log_size"`
	Device  string `json:"device,omitempty"` // FreeBSD: the guest's side of a null modem, /dev/nmdm…A
}

// GDB is a debug stub of the hypervisor (a relaxation).
type GDB struct {
	Listen string `json:"listen"` // "host:port"
	Wait   bool   `json:"wait,omitempty"`
}

// Jail is what the cell file says about the jail itself.
type Jail struct {
	Network Network  `json:"network"`
	IP4     []string `json:"ip4,omitempty"`
	IP6     []string `json:"ip6,omitempty"`
	Root    string   `json:"root,omitempty"` // FreeBSD: an existing tree instead of our own root: a relaxation
	Limits  Limits   `json:"limits"`
	// AllowMissing names layers of the jail that may be absent on this host.
	AllowMissing []string `json:"allow_missing,omitempty"`
}

// Network says what network the hypervisor's jail has.
type Network string

// The networks of a jail. On Linux the hypervisor's own network is always
// empty, and this only says where the screen listens.
const (
	NetworkNone   Network = "none"
	NetworkShared Network = "shared"
	NetworkVnet   Network = "vnet"
)

// Limits bound what the hypervisor may take from the host.
type Limits struct {
	// MemoryOverhead is what the hypervisor may use beyond the guest's memory,
	// in bytes.
	MemoryOverhead Size `json:"memory_overhead"`
	Processes      int  `json:"processes"`  // processes and threads
	OpenFiles      int  `json:"open_files"` // file descriptors
	// CPU is in percent of one processor; 0 is no limit.
	CPU int `json:"cpu,omitempty"`
	// Disk is how large a file of the host may become that the hypervisor writes
	// to; 0 is as large as its disks come to when all of them is written.
	Disk Size `json:"disk,omitempty"`
}

// Start says when a cell is started.
type Start string

// Boot: with the host. Manual: by hand.
const (
	StartManual Start = "manual"
	StartBoot   Start = "boot"
)

// Restart says what follows an end of the guest that nobody asked for. A
// guest's own reset is never an end.
type Restart string

// The restart policies of a cell that was started with up.
const (
	RestartNever   Restart = "never"
	RestartOnCrash Restart = "on-crash"
	RestartAlways  Restart = "always"
)

// RestartMax holds a cell that was restarted, or reset itself, Starts times
// within Within.
type RestartMax struct {
	Starts int           `json:"starts"`
	Within time.Duration `json:"within"` // nanoseconds in JSON
}

// Hypervisor passes what skep does not model. Each use is a relaxation.
type Hypervisor struct {
	Args []string `json:"args,omitempty"`
}
