package seccomp

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/net/bpf"
)

// Actions, as <linux/seccomp.h> has them; written here so that filters can be made anywhere.
const (
	retAllow  = 0x7fff0000
	retNotify = 0x7fc00000
	retErrno  = 0x00050000
	retKill   = 0x80000000 // the whole process
	retENOSYS = retErrno | enosys
)

// Errors, by their names in the manual.
const (
	enoent   = 2
	enosys   = 38
	enotconn = 107
)

// struct seccomp_data: the number, the architecture, the address of the call, six arguments. Both
// architectures here are little-endian, so the low word of an argument comes first.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
	x32Bit    = 0x40000000
	// firstUnknown is the first number that no kernel had when this table was written.
	firstUnknown = 472
	maxLength    = 4096 // BPF_MAXINSNS
)

// A Filter is what seccomp(2) takes.
type Filter []bpf.RawInstruction

// SHA256 identifies the filter in records and audits.
func (f Filter) SHA256() string {
	b := make([]byte, 0, 8*len(f)) // as the kernel's struct sock_filter lies in memory
	for _, in := range f {
		b = binary.LittleEndian.AppendUint16(b, in.Op)
		b = append(b, in.Jt, in.Jf)
		b = binary.LittleEndian.AppendUint32(b, in.K)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Compile makes the filter of one architecture. Rows for calls that the architecture has not got
// are left out; a name that no architecture has is a mistake.
func (p Policy) Compile(arch Arch) (Filter, error) {
	rows := map[uint32][]Row{}
	for _, row := range slices.Concat(p.Rows, p.Never) {
		if !Known(row.Call) {
			return nil, fmt.Errorf("cannot compile the policy: no call is named %q", row.Call)
		}
		if n, here := arch.Number(row.Call); here && (row.Phase == Run || row.Phase == Absent) {
			rows[n] = append(rows[n], row)
		}
	}
	return arch.assemble(rows)
}

func action(r Row) uint32 {
	switch {
	case r.Phase != Absent:
		return retAllow
	case r.Errno != 0:
		return retErrno | r.Errno
	}
	return retENOSYS
}

// assemble lays out one filter: whose call is it, which number, and then the rows of that number.
// The keeper is asked about a call that no row allows; one from the future is answered here.
func (a Arch) assemble(rows map[uint32][]Row) (Filter, error) {
	var s assembler
	s.add(bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: a.audit, SkipTrue: 1},
		bpf.RetConstant{Val: retKill},
		bpf.LoadAbsolute{Off: offNumber, Size: 4})
	if a.x32 {
		s.add(bpf.JumpIf{Cond: bpf.JumpLessThan, Val: x32Bit, SkipTrue: 1},
			bpf.RetConstant{Val: retENOSYS})
	}
	s.add(bpf.JumpIf{Cond: bpf.JumpLessThan, Val: firstUnknown, SkipTrue: 1},
		bpf.RetConstant{Val: retENOSYS})

	blocks := map[uint32]label{}
	numbers := slices.Sorted(maps.Keys(rows))
	for _, n := range numbers {
		blocks[n] = s.label()
	}
	ask := s.label()
	s.dispatch(numbers, blocks, ask)
	for _, n := range numbers {
		s.place(blocks[n])
		s.rows(rows[n], ask)
	}
	s.place(ask)
	s.add(bpf.RetConstant{Val: retNotify})
	return s.finish()
}

// dispatch finds a number's block by halving: a call that is made often must not wait for the
// comparisons of all the others.
func (s *assembler) dispatch(numbers []uint32, blocks map[uint32]label, ask label) {
	if len(numbers) <= 3 {
		for _, n := range numbers {
			s.add(bpf.JumpIf{Cond: bpf.JumpEqual, Val: n, SkipFalse: 1})
			s.jump(blocks[n])
		}
		s.jump(ask)
		return
	}
	half := len(numbers) / 2
	upper := s.label()
	s.add(bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: numbers[half], SkipFalse: 1})
	s.jump(upper)
	s.dispatch(numbers[:half], blocks, ask)
	s.place(upper)
	s.dispatch(numbers[half:], blocks, ask)
}

// rows tries a call's rows in the order of their phases: one that allows comes before one that refuses.
func (s *assembler) rows(rows []Row, ask label) {
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b Row) int { return int(a.Phase) - int(b.Phase) })
	for _, row := range sorted {
		next := s.label()
		for _, c := range row.When {
			s.cond(c, next)
		}
		s.add(bpf.RetConstant{Val: action(row)})
		s.place(next)
	}
	s.jump(ask)
}

// cond falls through if c holds, else goes to otherwise.
func (s *assembler) cond(c Cond, otherwise label) {
	if c.Not {
		holds := s.label()
		c.Not = false
		s.cond(c, holds) // goes there where c does not hold
		s.jump(otherwise)
		s.place(holds)
		return
	}
	holds := s.label()
	low := uint32(offArgs + 8*c.Arg)
	if c.Width == Int && c.Mask == 0xffffffff { // a plain list: ioctl has a hundred requests
		s.add(bpf.LoadAbsolute{Off: low, Size: 4})
		for _, v := range c.In {
			s.add(bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(v), SkipFalse: 1})
			s.jump(holds)
		}
		s.jump(otherwise)
		s.place(holds)
		return
	}
	for _, v := range c.In {
		next := s.label()
		if c.Width == Long {
			s.compare(low+4, uint32(c.Mask>>32), uint32(v>>32), next)
		}
		s.compare(low, uint32(c.Mask), uint32(v), next)
		s.jump(holds)
		s.place(next)
	}
	s.jump(otherwise)
	s.place(holds)
}

func (s *assembler) compare(off, mask, value uint32, otherwise label) {
	s.add(bpf.LoadAbsolute{Off: off, Size: 4},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: mask},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: value, SkipTrue: 1})
	s.jump(otherwise)
}
