package e2e

import "golang.org/x/sys/unix"

// callRegs are the registers with which a process that was stopped in a call makes another one: the
// instruction before the one it is at is the call's.
func callRegs(r *unix.PtraceRegs, number uint64, args []uint64) error {
	if int64(r.Orig_rax) < 0 {
		return errNotInCall
	}
	r.Rip -= 2
	r.Rax, r.Orig_rax = number, ^uint64(0)
	for i, a := range args {
		*[]*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.R10, &r.R8, &r.R9}[i] = a
	}
	return nil
}

func result64(r *unix.PtraceRegs) int64 { return int64(r.Rax) }

// again has the call that was interrupted made anew.
func again(r *unix.PtraceRegs) {
	if int64(r.Rax) < 0 {
		r.Rip -= 2
		r.Rax, r.Orig_rax = r.Orig_rax, ^uint64(0)
	}
}
