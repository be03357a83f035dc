//go:build linux || freebsd

package attack

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/hypervisor"
	"skep/internal/worker"
)

const groupProtocol = "the keeper's protocol"

// ProtocolAttempts are those of whoever has taken a worker over against its keeper. What is wrong has to end
// the link; what is well formed may change nothing but what is shown of its own guest.
func ProtocolAttempts() []Attempt {
	return inGroups([]group{{groupProtocol, protocolTable}, {groupProtocol, protocolOfSystem}})
}

// How such an attempt is stopped.
const (
	linkEnded = "link ended"
	ignored   = "ignored"
	bounded   = "bounded"
)

var protocolTable = []Attempt{
	{ID: "proto-half", Tries: "send half a message", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(message(mReady, 0, 0)[:worker.Size/2]) })},
	// Not longer than FreeBSD 14 lets anybody send (net.local.seqpacket.maxseqpacket).
	{ID: "proto-long", Tries: "send a longer message than there is", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(make([]byte, worker.Size*3/2)) })},
	{ID: "proto-zero", Tries: "send a message of zeros", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(make([]byte, worker.Size)) })},
	{ID: "proto-byte", Tries: "send a single byte", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell([]byte{1}) })},
	{ID: "proto-kind", Tries: "send a message of a kind that there is not", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(message(99, 0, 0)) })},
	{ID: "proto-act", Tries: "answer an act that there is not", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(message(mAnswer, 999, 1)) })},
	{ID: "proto-ready", Tries: "say twice that it is ready", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(worker.Greeting()) })},
	{ID: "proto-early", Tries: "report an end before it is ready", Want: linkEnded, Do: code(func(s *Fixture) Outcome {
		s.tell(event(3))
		return s.linkEnds()
	})},
	{ID: "proto-ask", Tries: "have its keeper do what a keeper asks of it", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(message(mRequest, uint16(worker.Cont), 1)) })},
	{ID: "proto-unasked", Tries: "answer what nobody has asked", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(message(mAnswer, uint16(worker.Cont), 77)) })},
	{ID: "proto-other", Tries: "answer a request with another's answer", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(message(mAnswer, uint16(worker.Stop), 1)) })},
	{ID: "proto-twice", Tries: "answer a request twice", Want: linkEnded, Do: lie(func(s *Fixture) {
		s.tell(message(mAnswer, uint16(worker.Cont), 1))
		s.tell(message(mAnswer, uint16(worker.Cont), 1))
	})},
	{ID: "proto-fault", Tries: "fail in a way that there is not", Want: linkEnded, Do: lie(func(s *Fixture) {
		b := message(mAnswer, uint16(worker.Cont), 1)
		b[8] = 200
		s.tell(b)
	})},
	{ID: "proto-gap", Tries: "hide something where a message has nothing", Want: linkEnded, Do: lie(func(s *Fixture) {
		b := message(mAnswer, uint16(worker.Cont), 1)
		b[worker.Size-1] = 'x'
		s.tell(b)
	})},
	{ID: "proto-length", Tries: "say that a text is longer than its message", Want: linkEnded, Do: lie(func(s *Fixture) {
		b := message(mAnswer, uint16(worker.Cont), 1)
		b[16], b[17] = 0xff, 0xff
		s.tell(b)
	})},
	{ID: "proto-escape", Tries: "send what a terminal would obey", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(texted("\x1b]0;mine\a")) })},
	{ID: "proto-utf8", Tries: "send text that is no UTF-8", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(texted("\xff\xfe")) })},
	{ID: "proto-bidi", Tries: "send text that runs backwards", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(texted("a\u202eb")) })},
	{ID: "proto-line", Tries: "send text of more lines than one", Want: linkEnded, Do: lie(func(s *Fixture) { s.tell(texted("a\nstate: stopped")) })},
	{ID: "proto-fd", Tries: "hand its keeper a descriptor", Want: linkEnded, Do: lie(func(s *Fixture) { s.tellWith(message(mAnswer, uint16(worker.Cont), 1), 1) })},
	{ID: "proto-fds", Tries: "stuff its keeper with 200 descriptors", Want: linkEnded, Do: lie(func(s *Fixture) { s.tellWith(message(mAnswer, uint16(worker.Cont), 1), 200) })},
	{ID: "proto-flood", Tries: "flood its keeper with events", Want: linkEnded, Do: code(func(s *Fixture) Outcome {
		// On a busy host so few come in a second that it is no flood: then the keeper ends it for its silence.
		return s.lies(func(s *Fixture) {
			for range 3000 {
				if r := s.tell(event(3)); r.gone || r.errno != 0 {
					return
				}
			}
		}, byLie, bySilence)
	})},
	{ID: "proto-silent", Tries: "never answer", Want: linkEnded, Do: code(func(s *Fixture) Outcome { return s.lies(func(*Fixture) {}, bySilence) })},
	{ID: "proto-event", Tries: "report an event that there is not", Want: ignored, Do: code(func(s *Fixture) Outcome {
		s.begin()
		s.tell(event(250))
		s.tell(event(3))
		return s.heard(hypervisor.Event{Kind: hypervisor.EventStop})
	})},
	{ID: "proto-after", Tries: "report events of a hypervisor that it has called gone", Want: ignored, Do: code(func(s *Fixture) Outcome {
		s.begin()
		s.tell(message(mGone, 0, 0))
		s.tell(event(1))
		for e := range s.Keeper.client.Events() {
			return escaped("its keeper believes it: " + string(e.Kind))
		}
		return stopped(ignored)
	})},
	{ID: "proto-words", Tries: "have its keeper keep more last words than it wants", Want: bounded, Do: code(func(s *Fixture) Outcome {
		s.begin()
		words := make(chan string, 1)
		go func() { w, _ := s.Keeper.client.Words(context.Background()); words <- w }()
		s.hear()
		b := message(mAnswer, uint16(worker.Words), 1)
		n := worker.Size - 64
		binary.LittleEndian.PutUint16(b[16:], uint16(n))
		copy(b[64:], strings.Repeat("w", n))
		s.tell(b)
		if w := <-words; len(w) > 3<<10 {
			return escaped(fmt.Sprintf("%d bytes", len(w)))
		}
		return stopped(bounded)
	})},
}

// The kinds of messages, as package worker numbers them.
const (
	mReady, mRequest, mAnswer, mEvent, mGone = uint16(worker.Ready), uint16(worker.Request), uint16(worker.Answer), uint16(worker.Event), uint16(worker.Gone)
)

// message is one with nothing else in it.
func message(kind, act uint16, id uint32) []byte {
	b := make([]byte, worker.Size)
	binary.LittleEndian.PutUint16(b, kind)
	binary.LittleEndian.PutUint16(b[2:], act)
	binary.LittleEndian.PutUint32(b[4:], id)
	return b
}

// event is one of a kind.
func event(kind uint64) []byte {
	b := message(mEvent, 0, 0)
	binary.LittleEndian.PutUint64(b[24:], kind)
	return b
}

// texted is an answer of failure with a text.
func texted(text string) []byte {
	b := message(mAnswer, uint16(worker.Cont), 1)
	b[8], b[16] = byte(worker.Failed), byte(len(text))
	copy(b[64:], text)
	return b
}

// keeperSide is what a keeper has of a worker.
type keeperSide struct {
	Link   *worker.Link
	client *worker.Client
}

// NewKeeperSide is a keeper's end of a connection to whoever is in its worker's place, and the other end.
func NewKeeperSide() (k *keeperSide, theirs *os.File, err error) {
	ours, theirs, err := worker.Pair()
	if err != nil {
		return nil, nil, err
	}
	k = &keeperSide{client: worker.NewClient()}
	if k.Link, err = worker.NewLink(ours, k.client.Heard); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	k.client.Use(k.Link)
	return k, theirs, nil
}

// lie says that the worker is ready, has its keeper make a request, lies, and looks whether that ends the link.
func lie(do func(*Fixture)) code {
	return func(s *Fixture) Outcome { return s.lies(do, byLie) }
}

// How a lie may end the link: what was sent, or that no answer was.
const (
	byLie     = "lie"
	bySilence = "silence"
)

// lies is a lie, and the ends that it may have.
func (s *Fixture) lies(do func(*Fixture), ends ...string) Outcome {
	s.begin()
	open := openFiles()
	answer := make(chan error, 1)
	wait := Patience
	if slices.Contains(ends, bySilence) {
		wait = time.Second
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		answer <- s.Keeper.client.Cont(ctx)
	}()
	s.hear()
	do(s)
	o := s.linkEnds()
	if err := <-answer; err != nil && strings.ContainsAny(err.Error(), "\x1b\n\a") {
		return escaped("its keeper says what it was told")
	}
	if now := openFiles(); now > open {
		return escaped(fmt.Sprintf("its keeper has %d descriptors more", now-open))
	}
	end := byLie
	if errors.Is(s.Keeper.Link.Err(), worker.ErrSilent) {
		end = bySilence
	}
	if o.Stopped && !slices.Contains(ends, end) {
		return escaped("its keeper ends the link for another reason: " + s.Keeper.Link.Err().Error())
	}
	return o
}

// begin says that the worker is ready.
func (s *Fixture) begin() {
	s.tell(worker.Greeting())
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	_ = s.Keeper.Link.WaitReady(ctx)
}

// tell has the attacker send a message to the keeper.
func (s *Fixture) tell(b []byte) result { return s.send(b, nil, messageEnds) }

// tellWith sends so many copies of its own socket along.
func (s *Fixture) tellWith(b []byte, n int) result {
	oob := new(bytes.Buffer)
	oob.Write(rightsHeader(n))
	for range n {
		_ = binary.Write(oob, binary.LittleEndian, int32(keeperFD))
	}
	if n%2 == 1 {
		_ = binary.Write(oob, binary.LittleEndian, int32(0))
	}
	return s.send(b, oob.Bytes(), messageEnds)
}

// send is sendmsg(2).
func (s *Fixture) send(b, oob []byte, flags int) result {
	defer s.again()
	vector := s.put(words(s.put(b), uint64(len(b))))
	header := words(0, 0, vector, 1, 0, 0, 0)
	if oob != nil {
		header = words(0, 0, vector, 1, s.put(oob), uint64(len(oob)), 0)
	}
	return s.call(unix.SYS_SENDMSG, keeperFD, header, unix.MSG_NOSIGNAL|flags)
}

// hear waits for the keeper's request.
func (s *Fixture) hear() { s.call(unix.SYS_READ, keeperFD, space(worker.Size), worker.Size); s.again() }

// linkEnds waits for the keeper to see through it.
func (s *Fixture) linkEnds() Outcome {
	select {
	case <-s.Keeper.Link.Done():
	case <-time.After(Patience):
		return escaped("its keeper goes on with it")
	}
	if err := s.Keeper.Link.Err(); !errors.Is(err, worker.ErrLied) {
		return escaped("its keeper blames nobody: " + err.Error())
	}
	return stopped(linkEnded)
}

// heard says whether the first event that its keeper knows of is the true one.
func (s *Fixture) heard(want hypervisor.Event) Outcome {
	select {
	case e := <-s.Keeper.client.Events():
		if e != want {
			return escaped("its keeper believes it: " + string(e.Kind))
		}
		return stopped(ignored)
	case <-time.After(Patience):
		return stopped(ignored)
	}
}
