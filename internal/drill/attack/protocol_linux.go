package attack

import (
	"bytes"
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"

	"skep/internal/worker"
)

// messageEnds is what a message is sent with: here each call is one.
const messageEnds = 0

// protocolOfSystem are attempts against the protocol that are of this system alone.
var protocolOfSystem = []Attempt{
	{ID: "proto-root", Tries: "speak as root to its keeper", Want: "EINVAL | EPERM", Do: code(func(s *Fixture) Outcome {
		s.begin()
		cred := words(16+12, uint64(unix.SCM_CREDENTIALS)<<32|uint64(unix.SOL_SOCKET), 1, 0) // pid 1, uid 0, gid 0
		return attempt{}.judge(s.send(message(mAnswer, uint16(worker.Cont), 1), cred, 0))
	})},
}

// rightsHeader is struct cmsghdr before n descriptors.
func rightsHeader(n int) []byte {
	b := new(bytes.Buffer)
	_ = binary.Write(b, binary.LittleEndian, uint64(16+4*n))
	_ = binary.Write(b, binary.LittleEndian, []int32{unix.SOL_SOCKET, unix.SCM_RIGHTS})
	return b.Bytes()
}

// openFiles counts this process's descriptors.
func openFiles() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}
