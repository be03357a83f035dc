package seccomp

// Phase says when a call may be made.
type Phase uint8

const (
	// Run: for the hypervisor's whole life.
	Run Phase = iota
	// Start: until the guest is prepared; the keeper's listener says yes to each until then.
	Start
	// Once: the one exec, granted to the launcher and to no one after it.
	Once
)

// Need is a device or accelerator without which a row is left out.
type Need string

const (
	Always Need = ""
	Disk   Need = "disk"
	NIC    Need = "nic"
	KVM    Need = "kvm"
	TCG    Need = "tcg"
	Screen Need = "screen"
)

// Width is how much of an argument the kernel looks at. A condition compares just that much: more
// would refuse a sign-extended int, less would let something pass unread.
type Width uint8

const (
	Long Width = iota // all 64 bits
	Int               // the low 32 bits
)

// A Cond holds if Arg & Mask is one of In.
type Cond struct {
	Arg   int
	Width Width
	Mask  uint64
	In    []uint64
}

// A Row allows a call if all of When hold. A call with several rows is allowed if one matches.
type Row struct {
	Call   string
	When   []Cond
	Phase  Phase
	Need   Need
	Reason string
}

// Policy is the rows of one cell.
type Policy struct {
	Rows []Row
}

// QEMU is the policy for a QEMU with the given devices.
func QEMU(needs ...Need) Policy { return Policy{} }
