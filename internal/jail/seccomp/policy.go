// Package seccomp is the list of system calls a hypervisor may make, and the compiler that turns
// it into filters for the kernel. It is pure: the tables and filters of every architecture are made
// and tested on any machine.
//
// A policy becomes two filters, because the kernel takes the stricter answer of all that are
// installed:
//
//   - "phases" says *when*: calls of the Start and Once phases go to a listener in the keeper, all
//     others pass. It is installed first, since the launcher must still send the listener's
//     descriptor to the keeper, with calls the hypervisor itself may not have.
//   - "calls" says *what*: calls that a row allows pass, all others fail. It is the last thing
//     before the exec.
//
// What a refused call gets:
//
//   - EPERM, as the default. Killing would be stronger against an intruder whose first mistake is
//     his last, but it would turn a libc that learnt a new call into a lost guest, on a host that
//     did nothing worse than a security update. An intruder gains nothing from the errno.
//   - ENOSYS for numbers younger than this table and for calls that have an older twin (clone3):
//     libraries take it as "this kernel has not got it" and fall back, which EPERM would stop.
//   - ENOSYS for the x32 twins, as kernels without x32 answer.
//   - Death for a foreign architecture's calls: no mistake leads there.
package seccomp

import "fmt"

// Phase says when a call may be made.
type Phase uint8

const (
	// Run: for the hypervisor's whole life.
	Run Phase = iota
	// Start: until the guest is prepared; the keeper's listener says yes to each until then.
	Start
	// Once: the one exec, granted to the launcher and to no one after it.
	Once
	// Absent: never, and it looks as if the kernel did not know the call.
	Absent
)

func (p Phase) String() string {
	return [...]string{"run", "start", "once", "absent"}[p]
}

// Need is a device or accelerator without which a row is left out.
type Need string

const (
	Always Need = ""
	Disk   Need = "disk"
	NIC    Need = "nic"
	KVM    Need = "kvm"
	TCG    Need = "tcg"
	Screen Need = "screen"
	Debug  Need = "debug" // a debug stub under KVM
)

// Width is how much of an argument the kernel looks at. A condition compares just that much: more
// would refuse a sign-extended int, less would let something pass unread.
type Width uint8

const (
	Long Width = iota // all 64 bits
	Int               // the low 32 bits
)

// A Cond holds if Arg & Mask is one of In. Text is how it reads in a listing.
type Cond struct {
	Arg   int
	Width Width
	Mask  uint64
	In    []uint64
	Text  string
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

// For leaves out the rows whose need is not among needs.
func (p Policy) For(needs ...Need) Policy {
	var out Policy
	for _, row := range p.Rows {
		if row.Need == Always || contains(needs, row.Need) {
			out.Rows = append(out.Rows, row)
		}
	}
	return out
}

// Count is the number of distinct calls that can be made in a phase on arch. A call that the start
// may make with more arguments than the run counts in both.
func (p Policy) Count(arch Arch, phase Phase) int {
	seen := map[string]bool{}
	for _, row := range p.Rows {
		if _, here := arch.Number(row.Call); here && row.Phase == phase {
			seen[row.Call] = true
		}
	}
	return len(seen)
}

// String is the policy as a table, one row a line.
func (p Policy) String() string {
	var s []byte
	for _, row := range p.Rows {
		call := row.Call
		for i, c := range row.When {
			call += [...]string{" if ", " and "}[min(i, 1)] + c.Text
		}
		s = fmt.Appendf(s, "%-6s %-6s %-44s %s\n", row.Phase, row.Need, call, row.Reason)
	}
	return string(s)
}

func contains(needs []Need, n Need) bool {
	for _, have := range needs {
		if have == n {
			return true
		}
	}
	return false
}
