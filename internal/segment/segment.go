// Package segment is a cell's end of a network that several cells share and nobody else: a switch in a jail of its
// own, with a connection to the hypervisor and one to the switch of each other cell. What a guest sends goes to the
// one that it is for, or to all; what another sends goes to the guest and no further, so that nothing goes round. No
// switch is anybody's above the others, and with one nothing ends but its own cell's connections.
package segment

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"skep/internal/capture"
	"skep/internal/guestnet"
	"skep/internal/netjob"
	"skep/internal/netlog"
)

// Bounds of what waits for another cell, and of how many addresses are known at a time.
const (
	peerWaiting = 1 << 20
	mostKnown   = 4096
)

// A peer is the switch of another cell.
type peer struct {
	port *guestnet.Port
	conn io.Closer
}

type wire struct {
	log   *netlog.Log
	guest *guestnet.Port

	mu    sync.Mutex
	peers []*peer
	known map[guestnet.MAC]*peer
}

// Run serves until the hypervisor has gone.
func Run(arg string, files map[string]*os.File) error {
	var c netjob.Segment
	if err := json.Unmarshal([]byte(arg), &c); err != nil {
		return err
	}
	if c.Memory > 0 {
		debug.SetMemoryLimit(c.Memory / 2)
	}
	defer runtime.KeepAlive(files) // two files have one descriptor: neither is to be collected
	w := &wire{known: map[guestnet.MAC]*peer{}}
	var err error
	if w.log, err = netlog.New(c.NIC, files[netjob.FileLog], files[netjob.FileLogThen], c.LogMax); err != nil {
		return err
	}
	var tap guestnet.Tap
	var ring *capture.Ring
	if c.CaptureMax > 0 {
		ring, err = capture.New(c.Host, c.NIC, files[netjob.CaptureOne], files[netjob.CaptureTwo], c.CaptureMax)
		if err != nil {
			return err
		}
		tap = func(d guestnet.Direction, frame []byte) { ring.Frame(d == guestnet.In, frame) }
	}
	w.guest = guestnet.NewPort(files[netjob.FileNIC], tap)
	for name, f := range files {
		if len(name) > len(netjob.FilePeer) && name[:len(netjob.FilePeer)] == netjob.FilePeer {
			if err := unix.SetNonblock(int(f.Fd()), true); err != nil {
				return err
			}
			w.join(os.NewFile(f.Fd(), name))
		}
	}
	if f := files[netjob.FileJoin]; f != nil {
		go w.accept(int(f.Fd()))
	}
	err = w.serve()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if ring != nil {
		err = errors.Join(err, ring.Close())
	}
	return err
}

// accept takes up connections of others.
func (w *wire) accept(fd int) {
	for {
		c, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case err == unix.EINTR || err == unix.ECONNABORTED:
		case err != nil:
			return
		default:
			w.join(os.NewFile(uintptr(c), netjob.FilePeer))
		}
	}
}

// join has another switch be one of the wire's. It is refused where there are too many.
func (w *wire) join(conn io.ReadWriteCloser) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.peers) >= netjob.MostPeers {
		conn.Close()
		w.log.Write(netlog.Line{Kind: netlog.Refused, Why: "the segment has too many cells", Count: uint64(len(w.peers))})
		return
	}
	p := &peer{port: guestnet.NewPort(conn, nil), conn: conn}
	p.port.Bound(peerWaiting)
	w.peers = append(w.peers, p)
	w.log.Write(netlog.Line{Kind: netlog.Joined, Count: uint64(len(w.peers))})
	go w.follow(p)
}

// follow gives the guest what another sends, until that has gone or sends what is no frame.
func (w *wire) follow(p *peer) {
	for {
		frame, err := p.port.Read()
		if err != nil {
			w.leave(p, err)
			return
		}
		if _, from, ok := guestnet.Ends(frame); ok {
			w.learn(from, p)
			w.guest.Send(slices.Clone(frame))
		}
	}
}

func (w *wire) leave(p *peer, why error) {
	p.conn.Close()
	p.port.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peers = slices.DeleteFunc(w.peers, func(x *peer) bool { return x == p })
	for m, of := range w.known {
		if of == p {
			delete(w.known, m)
		}
	}
	line := netlog.Line{Kind: netlog.Left, Count: uint64(len(w.peers))}
	if guestnet.Broken(why) {
		line.Why = why.Error()
	}
	w.log.Write(line)
}

// learn remembers whose an address is.
func (w *wire) learn(m guestnet.MAC, p *peer) {
	if m.Many() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.known) >= mostKnown {
		clear(w.known)
	}
	w.known[m] = p
}

// serve sends what the guest sends.
func (w *wire) serve() error {
	for {
		frame, err := w.guest.Read()
		if err != nil {
			return err
		}
		to, _, ok := guestnet.Ends(frame)
		if !ok {
			continue
		}
		frame = slices.Clone(frame) // which all of them only read
		w.mu.Lock()
		if p := w.known[to]; p != nil && !to.Many() {
			p.port.Send(frame)
		} else {
			for _, p := range w.peers {
				p.port.Send(frame)
			}
		}
		w.mu.Unlock()
	}
}
