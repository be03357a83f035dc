// Package seccomp is the list of system calls a hypervisor may make, and the compiler that turns
// it into filters for the kernel. It is pure: the tables and filters of every architecture are made
// and tested on any machine.
//
// A hypervisor's life has two phases. In the start it may call all that the table of never does not
// name; from the seal on, before its guest runs, only what a row of the policy allows. One filter
// holds for both: what a row allows passes, and each other call goes to a listener in the keeper. In
// the start the listener looks into the table of never and otherwise says yes; once sealed it has no
// yes any more, and counts what was asked for. It says yes to one exec, the launcher's own. A keeper
// that dies closes the listener, and the kernel answers ENOSYS in its place for good.
//
// What a refused call gets:
//
//   - EPERM, as the default, from the listener. Killing would be stronger against an intruder whose first mistake is
//     his last, but it would turn a libc that learnt a new call into a lost guest, on a host that
//     did nothing worse than a security update. An intruder gains nothing from the errno.
//   - ENOSYS for numbers younger than this table and for calls that have an older twin (clone3), in
//     both phases and without a question: libraries take it as "this kernel has not got it" and fall
//     back, which EPERM would stop.
//   - ENOSYS for the x32 twins, as kernels without x32 answer.
//   - Death for a foreign architecture's calls: no mistake leads there.
package seccomp

import (
	"fmt"
	"slices"
)

// Phase says when a call may be made.
type Phase uint8

const (
	// Run: for the hypervisor's whole life.
	Run Phase = iota
	// Once: the one exec, granted to the launcher and to no one after it.
	Once
	// Absent: in neither phase, and it looks as if the kernel did not know the call, or as Errno says.
	Absent
	// Never: not even in the start. These rows are in the table of never.
	Never
)

func (p Phase) String() string {
	return [...]string{"run", "once", "absent", "never"}[p]
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
	TPM    Need = "tpm"
)

// Width is how much of an argument the kernel looks at. A condition compares just that much: more
// would refuse a sign-extended int, less would let something pass unread.
type Width uint8

const (
	Long Width = iota // all 64 bits
	Int               // the low 32 bits
)

// A Cond holds if Arg & Mask is one of In, or if Not, none of them. Text is how it reads in a listing.
type Cond struct {
	Arg   int
	Width Width
	Mask  uint64
	In    []uint64
	Not   bool
	Text  string
}

// A Row allows a call if all of When hold, or bans it if its Phase says so. A call with several rows
// is allowed if one matches, and banned from the start if one in the table of never does.
type Row struct {
	Call   string
	When   []Cond
	Phase  Phase
	Need   Need
	Errno  uint32 // what one that is refused gets; 0 is ENOSYS in Absent, EPERM in Never
	Reason string
}

// Policy is the rows of one cell, and what not even its start may do.
type Policy struct {
	Rows  []Row
	Never []Row
}

// For leaves out the rows whose need is not among needs.
func (p Policy) For(needs ...Need) Policy {
	out := Policy{Never: p.Never}
	for _, row := range p.Rows {
		if row.Need == Always || contains(needs, row.Need) {
			out.Rows = append(out.Rows, row)
		}
	}
	return out
}

// Mute leaves out all by which a program could write or send on a descriptor.
func (p Policy) Mute(fd int) Policy {
	out := Policy{Never: p.Never}
	for _, row := range p.Rows {
		switch row.Call { // what duplicates a descriptor is in no row
		case "write", "writev", "pwrite64", "sendmsg", "copy_file_range":
			arg := 0
			if row.Call == "copy_file_range" {
				arg = 2
			}
			row.When = append(slices.Clone(row.When), notAmong(arg, named{fmt.Sprintf("descriptor %d", fd), uint64(fd)}))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// Count is the number of distinct calls that the rows of a phase name on arch.
func (p Policy) Count(arch Arch, phase Phase) int {
	seen := map[string]bool{}
	for _, row := range slices.Concat(p.Rows, p.Never) {
		if _, here := arch.Number(row.Call); here && row.Phase == phase {
			seen[row.Call] = true
		}
	}
	return len(seen)
}

// String is the policy as a table, one row a line.
func (p Policy) String() string {
	var s []byte
	for _, row := range slices.Concat(p.Rows, p.Never) {
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
