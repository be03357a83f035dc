package seccomp

// An Expectation is a row of the table of expected refusals: a call of the guest's life that a
// hypervisor makes as it was installed, that it does without, and that is refused like any other. It
// only tells a refusal that means nothing from one that a person should look at.
type Expectation struct {
	Call string
	When []Cond
	// Most is how often in a life it means nothing; 0 is as often as it likes. A path cannot be seen in
	// a register, so this is what keeps an intruder who looks for files from being taken for a C library.
	Most   uint64
	Reason string
}

// Constants of the kernel's headers for expected refusals.
var (
	mayMove  = named{"MREMAP_MAYMOVE", 1}
	readOnly = named{"O_RDONLY|O_CLOEXEC", 0o2000000}
	here     = named{"AT_FDCWD", 0xffffff9c}
	itself   = named{"itself", 0}
	noFlags  = named{"no flags", 0}
)

// expectations were seen with QEMU 7.2 to 11.1 and glibc 2.36 to 2.43, with what asks for each; only
// the count of processors of a running guest was not: it was seen of another program, and its last
// resort, sched_getaffinity, of none. None is allowed in place of this: they take a path, tell of the host, or put a
// text into the host's list of processes, and mremap moves what the rows for mmap have judged.
var expectations = []Expectation{
	{Call: "unlinkat", When: []Cond{among(0, here), among(2, noFlags)}, Most: 4, Reason: "at its end QEMU removes the names of the sockets that it was handed, which are not in its rootfs; " +
		"an unlink, where the architecture has it, is answered by the policy"},
	{Call: "mremap", When: []Cond{exactly(3, mayMove)}, Reason: "realloc of a large buffer, as for a viewer; the C library copies it"},
	{Call: "openat", When: []Cond{among(0, here), among(2, readOnly)}, Most: 16,
		Reason: "the C library, for many threads of the disk pool: vm/overcommit_memory before it shrinks a heap, " +
			"cpu/online and /proc/stat before it makes a ninth; it assumes the careful answer"},
	{Call: "prctl", When: []Cond{among(0, named{"PR_SET_NAME", 15})}, Reason: "QEMU 11 names each new thread, for people; it goes on without"},
	{Call: "sched_getaffinity", When: []Cond{among(0, itself)}, Most: 8, Reason: "the same count of processors, after the files; it assumes two"},
}

// Expects says whether a refusal in the guest's life means nothing: the row that says so, of which there
// have been seen fewer than its most. Registers are all that it looks at.
func Expects(arch Arch, number uint32, args [6]uint64, seen uint64) (Expectation, bool) {
	for _, row := range expectations {
		n, has := arch.Number(row.Call)
		if has && n == number && holdAll(row.When, args) {
			return row, row.Most == 0 || seen < row.Most
		}
	}
	return Expectation{}, false
}
