package linuxjail

import (
	"os"

	"skep/internal/jail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
)

// Identity is the hypervisor's user and group. They have the same numbers inside and outside, so
// that what `ps` shows on the host is what the plan says.
type Identity struct {
	UID, GID int
	Mapping  jail.Mapping
}

// A File of the host shown in the rootfs, read-only. Only one with Exec may be executed or mapped so.
type File struct {
	Inside jail.RootfsPath
	Host   jail.HostPath
	Exec   bool
}

// A Copy is made from a descriptor the caller opened, so the cell needs no permission on its path
// and a later change of the original changes nothing. From is read from its start.
type Copy struct {
	Inside jail.RootfsPath
	From   *os.File
	Size   int64
}

// A Node is a device of the host. Every one lies directly in /dev.
type Node struct {
	Inside jail.RootfsPath
	Host   jail.HostPath
}

// Root is the whole of what the rootfs holds. Directories come from the paths.
type Root struct {
	// Size bounds the tmpfs: the sum of the copies plus a page for each entry is enough.
	Size   int64
	Files  []File
	Copies []Copy
	Nodes  []Node
}

// FirstFD is the number of the first descriptor handed in.
const FirstFD = 3

// FDNumber is the number under which the hypervisor finds the i-th FD.
func FDNumber(i int) int { return FirstFD + i }

// A Handed file is what a program gets when it opens a name. Some programs, qemu-img among them, take
// paths and no descriptors: the listener puts a copy of the descriptor in the place of their open(2), so
// that they need no right on the file and the rootfs no entry for it.
//
// The first such open ends the start: the program has its libraries and has read nothing yet. It is
// sealed and its rootfs is emptied, and only then is it answered. The policy of such a program has no
// row that opens anything.
type Handed struct {
	Name jail.RootfsPath
	File *os.File
	// AtStart: it is answered while the program starts, ends nothing, and is answered no more once the start
	// is over. Whatever access the program asks for, it gets the descriptor as it is open.
	AtStart bool
}

// Cgroups is where the process is put before its first instruction.
type Cgroups struct {
	V2      *os.File // a directory of the v2 tree, or nil
	V1Procs []string // cgroup.procs files of v1 controllers
}

// EmptyMounts is a mount namespace of Linux with nothing in it but an empty root on which nothing can be
// written, executed or be a device. A child that is cloned in one copies one mount: clone3(2) copies
// all that there are (copy_mnt_ns in fs/namespace.c), and a host has some hundreds.
type EmptyMounts struct{ space *os.File }

// Spec is everything that Start needs; nothing else reaches the jail.
type Spec struct {
	Hostname string
	Identity Identity
	Root     Root
	// Stdin, Stdout and Stderr become 0, 1 and 2; a nil one becomes /dev/null.
	Stdin, Stdout, Stderr *os.File
	FDs                   []jail.FD
	Path                  jail.RootfsPath // the hypervisor
	Argv                  []string        // with Argv[0]
	Limits                []jail.Limit
	Cgroups               Cgroups
	OOMScoreAdj           int
	// EmptyMounts is where the child is cloned, if it can be; nil is among the host's mounts. It changes what
	// a start costs and nothing of the jail.
	EmptyMounts *EmptyMounts
	// Handed are files that the program gets when it opens their names; for one that takes paths only.
	Handed []Handed
	// WithCaller has the program end with the thread that started it: a tool, whose caller stays on one
	// thread meanwhile, and a hypervisor that StartBound starts. EmptyMounts is not for it, because that is
	// entered by a thread that ends.
	WithCaller bool
	// Layers is layer.Decide's answer. A layer not Applied there is left out of the jail.
	Layers []layer.Decision
	Policy seccomp.Policy
}
