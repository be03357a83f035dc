package audit

import (
	"fmt"

	"skep/internal/devfs"
	"skep/internal/kinfo"
)

// bsdSeen is one live process of a FreeBSD host as its kernel shows it. It is
// read once, from outside (observe_freebsd.go), and changes nothing. What could
// not be read is nil or has its Read false, and its row says unknown.
//
// It can be written to a file, so that judging is tested with what real hosts
// have shown.
type bsdSeen struct {
	Proc     kinfo.Proc     `json:"proc"`
	Controls kinfo.Controls `json:"controls"`
	// Params are all parameters of its jail that the kernel knows, by name.
	Params map[string]string `json:"params"`
	Inside []kinfo.Proc      `json:"inside"` // other processes of its jail
	// Others are processes, wherever they are, with its user, where that is
	// not root.
	Others []kinfo.Proc `json:"company"`

	Files     []kinfo.File `json:"files"`
	FilesRead bool         `json:"files_read"`
	// Devices are the names of the devices among the descriptors, below /dev.
	Devices map[int]string `json:"devices"`
	Areas   []kinfo.Area   `json:"areas"`
	Env     []string       `json:"env"`
	EnvRead bool           `json:"env_read"`

	Limits    map[string][2]uint64 `json:"limits"` // as setrlimit(2) names them -> soft, hard
	Rules     []string             `json:"rules"`  // rctl(8)
	RulesRead bool                 `json:"rules_read"`
	Counted   bool                 `json:"counted"` // kern.racct.enable

	Rootfs bsdRootfs `json:"room"`

	VmmCtl  bool              `json:"vmmctl"`  // making a VM is not root's alone here
	Sysctls map[string]string `json:"sysctls"` // of the host
	Pax     map[string]string `json:"pax"`     // HardenedBSD's settings, and marks of the program

	Exe *bsdProgram `json:"exe"`

	// Worker is the process that reads what it says, where it lives.
	Worker *bsdSeen `json:"worker,omitempty"`
	// Services are the networks and captures of its cards, by the IDs of their resources; Stack is where the taps of
	// networks are.
	Services map[string]*bsdSeen `json:"services,omitempty"`
	Stack    *bsdStack           `json:"stack,omitempty"`
	// Own are the files of its plan, of a service, by what they are there for: the kernel does not know every name.
	Own map[string]fileID `json:"own,omitempty"`

	linksSeen
}

// bsdRootfs is what can be reached below the root of its jail.
type bsdRootfs struct {
	Root      string     `json:"root"`  // as the host sees it; "" where it is in no jail
	Flags     uint32     `json:"flags"` // chflags(1) of the root
	Owner     uint32     `json:"owner"` // its user, and its mode
	Mode      uint16     `json:"mode"`
	Mounts    []bsdMount `json:"mounts"`
	MountRead bool       `json:"mount_read"`
	Files     []string   `json:"files"` // what is neither directory nor below /dev, as the rootfs names it
	FilesRead bool       `json:"files_read"`
	// Dev says that a devfs is mounted on /dev; Nodes are what that lists.
	Dev       bool         `json:"dev"`
	Nodes     []devfs.Node `json:"nodes"`
	NodesRead bool         `json:"nodes_read"`
	// Ruleset is its devfs_ruleset, or jail(8)'s own where it names none; Rules
	// are the rules of that set, Report what they come to on this host, and
	// Unread is why there is no Report.
	Ruleset int           `json:"ruleset"`
	Rules   []devfs.Rule  `json:"rules"`
	Report  *devfs.Report `json:"report"`
	Unread  string        `json:"unread,omitempty"`
}

// bsdMount is a mount on the root or below it.
type bsdMount struct {
	On    string `json:"on"`
	Kind  string `json:"kind"`
	From  string `json:"from"`
	Flags uint64 `json:"flags"` // MNT_*
}

// Flags of mounts and files, sys/sys/mount.h and sys/sys/stat.h.
const (
	mntReadOnly = 0x1
	mntNoExec   = 0x4
	mntNoSUID   = 0x8
	immutable   = 0x00020000 // SF_IMMUTABLE
)

// bsdProgram is the file that the process was started from.
type bsdProgram struct {
	Program
	Path string `json:"path"`
	// Same: it is that file for certain, or has its size where the file is gone
	// from the rootfs.
	Same bool `json:"same"`
}

// special is what the process holds without a descriptor: its root, its jail.
func (s *bsdSeen) special(number int) (kinfo.File, bool) {
	for _, f := range s.Files {
		if f.FD == number {
			return f, true
		}
	}
	return kinfo.File{}, false
}

// descriptors are those with a number.
func (s *bsdSeen) descriptors() []kinfo.File {
	var all []kinfo.File
	for _, f := range s.Files {
		if f.FD >= 0 {
			all = append(all, f)
		}
	}
	return all
}

// who names a process for people.
func who(p kinfo.Proc) string { return fmt.Sprintf("%d (%s)", p.PID, p.Comm) }

// target is what a descriptor refers to, for people.
func (s *bsdSeen) target(f kinfo.File) string {
	switch {
	case s.Devices[f.FD] != "":
		return "/dev/" + s.Devices[f.FD]
	case f.Path != "":
		return f.Path
	case f.Type == kinfo.TypeSocket:
		return "socket " + orWords(f.Local, "without a name")
	}
	return f.Type.String()
}
