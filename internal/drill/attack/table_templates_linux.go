package attack

import (
	"fmt"

	"golang.org/x/sys/unix"

	"skep/internal/hypervisor"
	"skep/internal/plan"
)

// earlyMemory: what it opens so is what it has.
const earlyMemory = "the hypervisor opens its memory so; it gets a descriptor that is open for reading, and has that already"

// templateAttempts are made in a clone: they reach for the memory that all clones of a template begin with,
// by the descriptor that a hypervisor has of it.
var templateAttempts = []Attempt{
	{ID: "template-write", Tries: "write to the memory of its template (pwrite)",
		By: "", Want: "EBADF", NoControl: noBaseControl, Needs: needTemplate,
		Do: try(unix.SYS_PWRITE64, memoryFD, "x", 1, 4096)},
	{ID: "template-map", Tries: "map it to write, for all clones",
		By: "", Want: "EACCES", NoControl: noBaseControl, Needs: needTemplate,
		Do: try(unix.SYS_MMAP, 0, 4096, rw, unix.MAP_SHARED, memoryFD, 0)},
	{ID: "template-truncate", Tries: "truncate it under the other clones",
		By: "", Want: "EPERM | EINVAL", NoControl: noBaseControl, Needs: needTemplate,
		Do: try(unix.SYS_FTRUNCATE, memoryFD, 0)},
	{ID: "template-discard", Tries: "punch a hole into it",
		By: "", Want: "EBADF | EPERM", NoControl: noBaseControl, Needs: needTemplate,
		Do: try(unix.SYS_FALLOCATE, memoryFD, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096)},
	{ID: "template-chmod", Tries: "let everybody write to it",
		By: "own-uid two-phases", Want: "EPERM", Needs: needTemplate,
		Do: try(unix.SYS_FCHMOD, memoryFD, 0o666)},
	{ID: "template-reopen", Tries: "open its descriptor of it anew, to write",
		By: "private-root own-uid landlock two-phases", Want: "ENOENT | EPERM", Needs: needTemplate,
		Do: open(late(func(s *Fixture) any { return fmt.Sprintf("/proc/self/fd/%d", s.memory) }), unix.O_RDWR)},
	{ID: "template-open", Tries: "open it by its path, to write",
		By: "private-root own-uid landlock two-phases", Want: "ENOENT | EPERM", Needs: needTemplate,
		Do: open(late(func(s *Fixture) any { return plan.Specs[*plan.Template](s.Plan)[0].RAM() }), unix.O_RDWR)},
	{ID: "template-ask", Tries: "have the listener hand it in once more, to write",
		Early: earlyMemory,
		By:    "two-phases", Want: "EPERM", Single: singlePhase, Needs: needTemplate,
		Do: open(hypervisor.MemoryPath, unix.O_RDWR)},
}

// memoryFD is the attacker's descriptor of the guest's memory.
var memoryFD = late(func(s *Fixture) any { return s.memory })

func needTemplate(s *Fixture) (string, bool) {
	return "the cell is no clone", s.ofTemplate() && s.memory != none && s.memory > 0
}

func (s *Fixture) ofTemplate() bool {
	return s.Plan != nil && len(plan.Specs[*plan.Template](s.Plan)) > 0
}

// OpenMemory opens the guest's memory as a hypervisor does in its start.
func (s *Fixture) OpenMemory() {
	s.memory = none
	if !s.ofTemplate() {
		return
	}
	if r := s.call(unix.SYS_OPENAT, atCWD, hypervisor.MemoryPath, unix.O_RDWR|unix.O_CLOEXEC, 0); r.errno == 0 && !r.gone {
		s.memory = r.value
	}
}
