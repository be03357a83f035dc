// Package guestnet is the host's end of a guest's network card in user space: frames in both directions, an
// address for the guest, and a TCP/IP stack that answers for every address there is. What it reads a guest
// has made, or whoever took its hypervisor over; it runs in a jail and opens nothing.
package guestnet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// Bounds of a frame: an Ethernet header, and the largest that QEMU sends (NET_BUFSIZE in include/net/net.h).
const (
	headerLen = 14
	maxFrame  = 4096 + 65536
	// queued is how many frames wait for a guest that reads none, and waitingMost how many bytes they may come to.
	// What is more is lost, as on a wire.
	queued      = 1024
	waitingMost = 8 << 20
)

// Direction of a frame, as the guest sees it.
type Direction uint8

// Out: the guest has sent it. In: it is for the guest.
const (
	Out Direction = iota
	In
)

// A Tap sees every frame, in order, before anything is done with it. It may not keep the bytes.
type Tap func(d Direction, frame []byte)

// A Port is a card's connection to its hypervisor: each frame behind its length, four bytes, as QEMU's
// netdev "stream" has it.
type Port struct {
	rw   io.ReadWriter
	in   *bufio.Reader
	buf  []byte
	out  chan []byte
	done chan struct{}
	quit chan struct{}
	once sync.Once
	tap  Tap
	lost atomic.Uint64

	waiting, most atomic.Int64
}

// NewPort begins to send what is queued. tap may be nil.
func NewPort(rw io.ReadWriter, tap Tap) *Port {
	if tap == nil {
		tap = func(Direction, []byte) {}
	}
	p := &Port{rw: rw, in: bufio.NewReaderSize(rw, 256<<10), buf: make([]byte, maxFrame), out: make(chan []byte, queued),
		done: make(chan struct{}), quit: make(chan struct{}), tap: tap}
	p.most.Store(waitingMost)
	go p.write()
	return p
}

// Bound is how many bytes may wait from now on.
func (p *Port) Bound(bytes int64) { p.most.Store(bytes) }

// Close ends the sending.
func (p *Port) Close() { p.once.Do(func() { close(p.quit) }) }

// errFrame: whoever says so is no hypervisor of ours any more.
var errFrame = errors.New("a frame longer than any")

// Broken says of an error of Read that what came was no frame.
func Broken(err error) bool { return errors.Is(err, errFrame) }

// Read is the next frame that the guest has sent; it is valid until the next call.
func (p *Port) Read() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return nil, fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	frame := p.buf[:n]
	if _, err := io.ReadFull(p.in, frame); err != nil {
		return nil, err
	}
	p.tap(Out, frame)
	return frame, nil
}

// Send queues a frame for the guest, whose bytes are the port's from now on. It is lost where the guest
// does not read, and then the answer is false.
func (p *Port) Send(frame []byte) bool {
	if len(frame) < headerLen || len(frame) > maxFrame {
		return false
	}
	if p.waiting.Add(int64(len(frame))) <= p.most.Load() {
		select {
		case p.out <- frame:
			return true
		default:
		}
	}
	p.waiting.Add(-int64(len(frame)))
	p.lost.Add(1)
	return false
}

// Lost is how many frames the guest did not read.
func (p *Port) Lost() uint64 { return p.lost.Load() }

// Done is closed when nothing can be sent any more.
func (p *Port) Done() <-chan struct{} { return p.done }

// write sends frames, several in one call where several wait.
func (p *Port) write() {
	defer close(p.done)
	const enough = 128 << 10
	batch := make([]byte, 0, enough+maxFrame+4)
	for {
		var frame []byte
		select {
		case frame = <-p.out:
		case <-p.quit:
			return
		}
		batch = p.append(batch[:0], frame)
		for more := true; more && len(batch) < enough; {
			select {
			case frame = <-p.out:
				batch = p.append(batch, frame)
			default:
				more = false
			}
		}
		if _, err := p.rw.Write(batch); err != nil {
			return
		}
	}
}

func (p *Port) append(batch, frame []byte) []byte {
	p.waiting.Add(-int64(len(frame)))
	p.tap(In, frame)
	batch = binary.BigEndian.AppendUint32(batch, uint32(len(frame)))
	return append(batch, frame...)
}
