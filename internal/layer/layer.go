// Package layer is the one list of what stands between a guest's hypervisor and the host.
//
// Each layer is a row of Table: what it does, what it asks of the kernel and of the caller, what
// takes its place where it cannot be had, and how somebody outside can see that it is there. The
// package knows nothing of any operating system's calls: internal/jail/linuxjail probes a host and applies
// the layers, this package only decides which, so that the decision can be printed, tested and
// argued about on any machine.
package layer

// ID names a layer. The names are an interface: cell files allow a missing layer by it, `show`
// and the audit print it.
type ID string

// A Layer is one row of Table.
type Layer struct {
	ID   ID
	Does string // what it does, and so what is lost without it
	// Kernel is the first Linux that has it.
	Kernel string
	// Privilege is what the caller needs for it; empty when any user can have it.
	Privilege string
	// Substitute is the layer that does most of the same where the kernel has not got this one.
	Substitute ID
	// Optional: few kernels have it, and what it guards against nothing else does. Where the
	// kernel has it, it is applied like any other; where not, that is told and stops no start.
	Optional bool
	// Seen says how the layer shows from outside. What cannot be seen says "recorded": the
	// launcher proved it before the hypervisor's first instruction and wrote that down.
	Seen string
}

// Find returns the row of id.
func Find(id ID) (Layer, bool) {
	for _, l := range Table {
		if l.ID == id {
			return l, true
		}
	}
	return Layer{}, false
}
