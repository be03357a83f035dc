// Package hypervisor knows bhyve and QEMU: the command line that a cell asks
// for, how to talk to a live hypervisor, and what its end means.
//
// Command lines are pure functions of a cell and of the places where the
// rootfs has things; they are made and tested on any system. They come as
// Options, each with the reason it is there and the line of the cell file that
// asked for it, so that `skep explain` has nothing to guess.
//
// What a hypervisor says is hostile input: whoever breaks out of a guest
// speaks for the hypervisor from then on. Replies are bounded in size, depth
// and time, and nothing in one is ever used as a path.
package hypervisor

import "strings"

// Option is one option of a command line and why it is there.
type Option struct {
	Flag  string // "-machine"
	Value string // "" for a flag that stands alone
	Why   string // for people: one clause
	// Source is the key in cell.Cell.Sources of what asked for it, "" for what
	// every cell has.
	Source string
}

// Argv flattens options to what exec takes, without argument zero.
func Argv(opts []Option) []string {
	argv := make([]string, 0, 2*len(opts))
	for _, o := range opts {
		if o.Flag != "" {
			argv = append(argv, o.Flag)
		}
		if o.Value != "" {
			argv = append(argv, o.Value)
		}
	}
	return argv
}

// props joins the non-empty key=value pairs of one option as both hypervisors
// write them.
func props(parts ...string) string {
	kept := make([]string, 0, len(parts))
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, ",")
}

// optional is s where on, else "".
func optional(on bool, s string) string {
	if on {
		return s
	}
	return ""
}
