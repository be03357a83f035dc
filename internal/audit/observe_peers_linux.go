package audit

import (
	"encoding/binary"
	"os"
	"runtime"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// readPeers asks the kernel which UNIX sockets are connected with each other, in the host's network and in that of a
// process. Whoever may not go there, or has a kernel that does not tell, has what is left of it.
func readPeers(dir string) map[uint64]uint64 {
	peers := map[uint64]uint64{}
	addPeers(peers)
	runtime.LockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return peers
	}
	defer here.Close()
	went := false
	if there, err := os.Open(dir + "/ns/net"); err == nil {
		defer there.Close()
		if went = unix.Setns(int(there.Fd()), unix.CLONE_NEWNET) == nil; went {
			addPeers(peers)
		}
	}
	// The first thread of a process is not ended with its goroutine, and /proc/self tells of it: so it goes back.
	if !went || unix.Setns(int(here.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return peers
}

// Of linux/unix_diag.h: what is asked for, and the attribute with the answer.
const (
	showPeer   = 4
	diagPeer   = 2
	diagHeader = 16 // family and such, then the inode at 4
)

// addPeers adds those of the network that the thread is in. Not by package netlink's own function for it, whose
// list was seen to end early.
func addPeers(peers map[uint64]uint64) {
	ask := make([]byte, 24)
	ask[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(ask[4:], ^uint32(0)) // in every state
	binary.NativeEndian.PutUint32(ask[12:], showPeer)
	r := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
	r.AddRawData(ask)
	all, err := r.Execute(unix.NETLINK_INET_DIAG, nl.SOCK_DIAG_BY_FAMILY)
	if err != nil {
		return // what was told before it was interrupted may be of two moments
	}
	for _, m := range all {
		if len(m) < diagHeader {
			continue
		}
		attrs, _ := nl.ParseRouteAttr(m[diagHeader:])
		for _, a := range attrs {
			if a.Attr.Type == diagPeer && len(a.Value) >= 4 {
				if other := binary.NativeEndian.Uint32(a.Value); other != 0 {
					peers[uint64(binary.NativeEndian.Uint32(m[4:]))] = uint64(other)
				}
			}
		}
	}
}
