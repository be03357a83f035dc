// Package jail holds what the jails of both hosts have in common: the types of their paths, limits and
// descriptors, what is recorded of a start, and the errors of one. It acts on nothing. The jails
// themselves are packages of their own, each for one host: linuxjail, made of namespaces, seccomp and
// Landlock, and freebsdjail, a jail(8).
package jail

import "os"

// HostPath is a path as the host sees it, RootfsPath one as the hypervisor will see it. They are
// types of their own so that mixing them up does not compile.
type (
	HostPath   string
	RootfsPath string
)

// Mapping says who makes the cell's user and group known in its user namespace.
type Mapping string

const (
	// ByRoot: the caller is root and maps any pair.
	ByRoot Mapping = "root"
	// BySubIDs: newuidmap(1) and newgidmap(1) map a pair out of the caller's subordinate range.
	BySubIDs Mapping = "subids"
	// ByOwn: only the caller's own pair can be mapped; its supplementary groups stay.
	ByOwn Mapping = "own"
)

// An FD is handed to the hypervisor. Its name says what it is for.
type FD struct {
	Name string
	File *os.File
}

// A Limit sets the soft and the hard resource limit of that setrlimit(2) name ("nofile", "as").
// No core size is listed: it is always 0.
type Limit struct {
	Name  string
	Value uint64
}
