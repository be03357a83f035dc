package drill

import "skep/internal/cell"

// Bounds of a twin: the attacker will use up all that it is given.
const (
	twinMemory   = 64 * cell.MiB
	twinOverhead = 64 * cell.MiB
	twinCPU      = 20 // per cent of one processor
)
