package attack

import "skep/internal/cell"

// Bounds of a twin: the attacker will use up all that it is given.
const (
	TwinMemory   = 64 * cell.MiB
	TwinOverhead = 64 * cell.MiB
	TwinCPU      = 20 // per cent of one processor
)
