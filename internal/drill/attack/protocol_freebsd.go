package attack

import (
	"bytes"
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"

	"skep/internal/kinfo"
	"skep/internal/worker"
)

// messageEnds is what a message is sent with: without it the next call goes on with it.
const messageEnds = unix.MSG_EOR

// protocolOfSystem are attempts against the protocol that are of this system alone.
var protocolOfSystem = []Attempt{
	{ID: "proto-creds", Tries: "speak as root to its keeper", Want: linkEnded, Do: lie(func(s *Fixture) {
		const cmsgcred = 84 // sizeof(struct cmsgcred), sys/sys/socket.h: pid, uids and gid of 0
		oob := append(controlHeader(cmsgcred, unix.SCM_CREDS), make([]byte, cmsgcred+4)...)
		s.send(message(mAnswer, uint16(worker.Cont), 1), oob, messageEnds)
	})},
	{ID: "proto-open", Tries: "leave a message without its end", Want: linkEnded, Do: code(func(s *Fixture) Outcome {
		return s.lies(func(s *Fixture) { s.send(message(mAnswer, uint16(worker.Cont), 1)[:worker.Size/2], nil, 0) }, bySilence)
	})},
	{ID: "proto-joined", Tries: "send two messages as one", Want: linkEnded, Do: lie(func(s *Fixture) {
		s.send(message(mAnswer, uint16(worker.Cont), 1), nil, 0)
		s.tell(message(mAnswer, uint16(worker.Cont), 1))
	})},
}

// rightsHeader is struct cmsghdr before n descriptors.
func rightsHeader(n int) []byte { return controlHeader(4*n, unix.SCM_RIGHTS) }

func controlHeader(size int, kind int32) []byte {
	b := new(bytes.Buffer)
	_ = binary.Write(b, binary.LittleEndian, uint32(16+size))
	_ = binary.Write(b, binary.LittleEndian, []int32{unix.SOL_SOCKET, kind, 0})
	return b.Bytes()
}

// openFiles counts this process's descriptors.
func openFiles() (n int) {
	b, err := kinfo.List("kern.proc.filedesc", os.Getpid())
	if err != nil {
		return 0
	}
	files, _ := kinfo.ParseFiles(b)
	for _, f := range files {
		if f.FD >= 0 {
			n++
		}
	}
	return n
}
