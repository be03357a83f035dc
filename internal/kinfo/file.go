package kinfo

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Numbers below zero stand for what a process holds without a descriptor,
// KF_FD_TYPE_*.
const (
	CWD   = -1
	Root  = -2
	Jail  = -3
	Trace = -4 // ktrace(2) writes to it
	Text  = -5
	CTTY  = -6
)

// FileType is what a descriptor is, KF_TYPE_*.
type FileType int

// The types that are told apart here.
const (
	TypeNone     FileType = 0
	TypeVnode    FileType = 1
	TypeSocket   FileType = 2
	TypePipe     FileType = 3
	TypeFIFO     FileType = 4
	TypeKqueue   FileType = 5
	TypeShm      FileType = 8
	TypeSem      FileType = 9
	TypePTS      FileType = 10
	TypeProcdesc FileType = 11
	TypeDev      FileType = 12
	TypeEventfd  FileType = 13
	TypeTimerfd  FileType = 14
	// TypeUnknown without flags is a number that a call has taken and nothing is
	// behind yet, such as accept(2)'s while it waits.
	TypeUnknown FileType = 255
)

var fileTypes = map[FileType]string{
	TypeVnode: "file", TypeSocket: "socket", TypePipe: "pipe", TypeFIFO: "fifo", TypeKqueue: "kqueue", TypeShm: "shared memory",
	TypeSem: "semaphore", TypePTS: "pseudo-terminal", TypeProcdesc: "process descriptor", TypeDev: "device", TypeEventfd: "eventfd", TypeTimerfd: "timerfd",
}

func (t FileType) String() string {
	if s, ok := fileTypes[t]; ok {
		return s
	}
	return fmt.Sprintf("type %d", int(t))
}

// Vnode is what kind of file a file is, KF_VTYPE_*.
type Vnode int

// The kinds of vnodes.
const (
	Regular   Vnode = 1
	Directory Vnode = 2
	Block     Vnode = 3
	Character Vnode = 4
	Link      Vnode = 5
	Socket    Vnode = 6
	FIFO      Vnode = 7
)

// Flags of a file, KF_FLAG_*.
const (
	FlagRead  = 1 << 0
	FlagWrite = 1 << 1
)

// File is one descriptor, struct kinfo_file.
type File struct {
	FD    int      `json:"fd"`
	Type  FileType `json:"type"`
	Flags int      `json:"flags"`
	// Of a file. Path is as whoever asked sees it, "" where the name is gone.
	Vnode Vnode  `json:"vnode,omitempty"`
	Path  string `json:"path,omitempty"`
	Rdev  uint64 `json:"rdev,omitempty"`
	Fsid  uint64 `json:"fsid,omitempty"`
	ID    uint64 `json:"id,omitempty"` // the inode
	Size  uint64 `json:"size,omitempty"`
	Links uint64 `json:"links,omitempty"`
	// Of a socket.
	Domain   int    `json:"domain,omitempty"`
	SockType int    `json:"sock_type,omitempty"`
	Local    string `json:"local,omitempty"` // "127.0.0.1:5900", or a path
	Peer     string `json:"peer,omitempty"`

	Rights Rights `json:"rights"`
}

// Offsets into struct kinfo_file.
const (
	fileType   = 4
	fileFD     = 8
	fileFlags  = 16
	fileVnode  = 32 // of a file; a socket has its send queue there
	sockDomain = 36
	sockType   = 40
	sockLocal  = 48
	sockPeer   = 176
	sockEnd    = 304
	fileLinks  = 280
	fileFsid   = 288
	fileRdev   = 296
	fileID     = 304
	fileSize   = 312
	fileRights = 344
	filePath   = 368
)

// ParseFiles reads what sysctl kern.proc.filedesc gave.
func ParseFiles(b []byte) ([]File, error) {
	var all []File
	err := records(b, filePath, "kinfo_file", func(r record) {
		f := File{
			FD: r.int(fileFD), Type: FileType(r.int(fileType)), Flags: r.int(fileFlags),
			Rights: Rights{r.u64(fileRights), r.u64(fileRights + 8)},
			Path:   r.text(filePath, len(r)),
		}
		switch f.Type {
		case TypeVnode, TypeFIFO:
			f.Vnode, f.Links, f.Fsid = Vnode(r.int(fileVnode)), r.u64(fileLinks), r.u64(fileFsid)
			f.Rdev, f.ID, f.Size = r.u64(fileRdev), r.u64(fileID), r.u64(fileSize)
		case TypeSocket:
			f.Domain, f.SockType = r.int(sockDomain), r.int(sockType)
			f.Local, f.Peer = address(r[sockLocal:sockPeer]), address(r[sockPeer:sockEnd])
		}
		all = append(all, f)
	})
	return all, err
}

// Address families, sys/sys/socket.h.
const (
	AFUnix = 1
	AFInet = 2
	afIn6  = 28
)

// address writes a struct sockaddr, whose first byte is its length.
func address(b record) string {
	size := min(int(b[0]), len(b))
	switch {
	case size > 2 && b[1] == AFUnix:
		return b.text(2, size)
	case size >= 8 && b[1] == AFInet:
		a, _ := netip.AddrFromSlice(b[4:8])
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[2:])).String()
	case size >= 24 && b[1] == afIn6:
		a, _ := netip.AddrFromSlice(b[8:24])
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[2:])).String()
	}
	return ""
}
