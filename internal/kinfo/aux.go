package kinfo

// AuxEnvCount is AT_ENVC of sys/sys/elf_common.h: how many variables exec gave
// a program.
const AuxEnvCount = 30

// Aux finds a value in what sysctl kern.proc.auxv gave: a list of pairs, each
// of two 64-bit words.
func Aux(b []byte, kind uint64) (value uint64, ok bool) {
	for ; len(b) >= 16; b = b[16:] {
		if r := record(b); r.u64(0) == kind {
			return r.u64(8), true
		}
	}
	return 0, false
}
