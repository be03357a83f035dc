package e2e

import "golang.org/x/sys/unix"

// callRegs are the registers with which a process that was stopped in a call makes another one: the
// instruction before the one it is at is the call's.
func callRegs(r *unix.PtraceRegs, number uint64, args []uint64) error {
	r.Pc -= 4
	r.Regs[8] = number
	copy(r.Regs[:], args)
	return nil
}

func result64(r *unix.PtraceRegs) int64 { return int64(r.Regs[0]) }

// again has the call that was interrupted made anew.
func again(r *unix.PtraceRegs) { r.Pc -= 4 }
