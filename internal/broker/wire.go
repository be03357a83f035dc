package broker

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A Question is what a network asks its keeper. That and what is answered is one message each, with a socket beside it.
type Question struct {
	ID   uint64         `json:"id"`
	Do   string         `json:"do"` // "name", "tcp", "udp"
	Name string         `json:"name,omitempty"`
	To   netip.AddrPort `json:"to"`
}

type answer struct {
	ID    uint64       `json:"id"`
	Why   string       `json:"why,omitempty"` // it is refused, or failed
	Addrs []netip.Addr `json:"addrs,omitempty"`
}

// Bounds of messages, and of how many questions may be open.
const (
	maxMessage = 4 << 10
	mostOpen   = 128
	mostAddrs  = 16
)

// Pair is a connection for questions: the keeper's end, and the network's.
func Pair() (keeper, network *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "questions"), os.NewFile(uintptr(fds[1]), "answers"), nil
}

// receive is the next message, with the descriptor beside it, or -1.
func receive(f *os.File, into any) (fd int, err error) {
	b, beside := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4*4))
	var n, nb int
	for {
		n, nb, _, _, err = unix.Recvmsg(int(f.Fd()), b, beside, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return -1, err
	}
	if n == 0 {
		return -1, errors.New("the other end has gone")
	}
	var fds []int
	all, err := unix.ParseSocketControlMessage(beside[:nb])
	for _, m := range all {
		if some, err := unix.ParseUnixRights(&m); err == nil {
			fds = append(fds, some...)
		}
	}
	fd = -1
	if len(fds) == 1 {
		fd = fds[0]
	} else {
		for _, x := range fds {
			unix.Close(x)
		}
	}
	if err == nil {
		err = json.Unmarshal(b[:n], into)
	}
	if err != nil && fd >= 0 {
		unix.Close(fd)
		fd = -1
	}
	return fd, err
}

// send sends one, with a descriptor where that is one.
func send(f *os.File, m any, fd int) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var beside []byte
	if fd >= 0 {
		beside = unix.UnixRights(fd)
	}
	return unix.Sendmsg(int(f.Fd()), b, beside, nil, 0)
}

// An Asker is the network's end.
type Asker struct {
	f     *os.File
	slots chan struct{}

	mu   sync.Mutex
	next uint64
	open map[uint64]chan Replied
}

// Replied is an answer, with the socket beside it, or -1.
type Replied struct {
	answer
	FD int
}

// NewAsker asks on the network's end of a Pair.
func NewAsker(f *os.File) *Asker {
	a := &Asker{f: f, slots: make(chan struct{}, mostOpen), open: map[uint64]chan Replied{}}
	go a.listen()
	return a
}

func (a *Asker) listen() {
	for {
		var r Replied
		fd, err := receive(a.f, &r.answer)
		if err != nil {
			return // the keeper has gone, and this process goes with it
		}
		r.FD = fd
		a.mu.Lock()
		c := a.open[r.ID]
		delete(a.open, r.ID)
		a.mu.Unlock()
		if c == nil {
			if fd >= 0 {
				unix.Close(fd)
			}
			continue
		}
		c <- r
	}
}

// Ask waits for an answer. Where too much is asked already, that is the answer.
func (a *Asker) Ask(q Question) Replied {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	default:
		return Replied{answer{Why: "too much is asked at a time"}, -1}
	}
	c := make(chan Replied, 1)
	a.mu.Lock()
	a.next++
	q.ID = a.next
	a.open[q.ID] = c
	err := send(a.f, q, -1)
	a.mu.Unlock()
	if err != nil {
		return Replied{answer{Why: err.Error()}, -1}
	}
	return <-c
}
