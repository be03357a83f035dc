//go:build linux || freebsd

package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"unicode"
	"unicode/utf8"

	"skep/internal/version"
)

// Size is that of every message.
const (
	Size     = headSize + textRoom
	headSize = 64
	textRoom = 4096
)

// Kind says what a message is.
type Kind uint16

// The kinds of messages. There is no other.
const (
	Ready   Kind = 1 + iota // the worker is there, and has read nothing yet
	Request                 // the keeper's
	Answer                  // to a request
	Event                   // what the hypervisor has said unasked
	Gone                    // the hypervisor has hung up
	lastKind
)

// Fault says in an Answer what came of a request.
type Fault uint16

// The faults.
const (
	None    Fault = iota
	Refused       // by the hypervisor; Texts are the command, its class and its reason
	Closed        // the hypervisor has hung up; Texts[0] says why
	Late          // it did not answer in time
	Failed        // anything else; Texts[0] says what
	lastFault
)

// Message is one message, either way.
type Message struct {
	Kind  Kind
	Act   Act    // of Request and Answer
	ID    uint32 // of a Request; its Answer has the same
	Fault Fault  // of an Answer
	// Millis is how long a Request may take.
	Millis uint32
	Nums   [4]uint64
	Texts  [4]string
}

var (
	errSize = errors.New("a message of another size")
	errForm = errors.New("not a message")
)

// identity is what both ends have to have in common: after an upgrade, the file of a running skep is another one's.
var identity = sync.OnceValue(func() string { return cut(fmt.Sprintf("%s, %d acts", version.String(), lastAct-1), 128) })

// Greeting is a worker's first word, as bytes; for who plays one.
func Greeting() []byte {
	b := make([]byte, Size)
	_ = Message{Kind: Ready, Texts: [4]string{identity()}}.encode(b)
	return b
}

// encode writes m into b, which has Size bytes.
func (m Message) encode(b []byte) error {
	clear(b)
	le := binary.LittleEndian
	le.PutUint16(b[0:], uint16(m.Kind))
	le.PutUint16(b[2:], uint16(m.Act))
	le.PutUint32(b[4:], m.ID)
	le.PutUint16(b[8:], uint16(m.Fault))
	le.PutUint32(b[12:], m.Millis)
	at := headSize
	for i, s := range m.Texts {
		if at+len(s) > Size {
			return fmt.Errorf("%w: its texts are too long", errForm)
		}
		le.PutUint16(b[16+2*i:], uint16(len(s)))
		at += copy(b[at:], s)
	}
	for i, n := range m.Nums {
		le.PutUint64(b[24+8*i:], n)
	}
	return nil
}

// decode reads a message that has to be just as encode writes it: what has no meaning is 0, and the
// texts of a worker are printable. It trusts nothing.
func decode(b []byte) (m Message, err error) {
	if len(b) != Size {
		return m, fmt.Errorf("%w: %d bytes", errSize, len(b))
	}
	le := binary.LittleEndian
	m = Message{Kind: Kind(le.Uint16(b[0:])), Act: Act(le.Uint16(b[2:])), ID: le.Uint32(b[4:]), Fault: Fault(le.Uint16(b[8:])), Millis: le.Uint32(b[12:])}
	switch {
	case m.Kind == 0 || m.Kind >= lastKind:
		return Message{}, fmt.Errorf("%w: kind %d", errForm, m.Kind)
	case m.Act >= lastAct || (m.Act != 0) != (m.Kind == Request || m.Kind == Answer):
		return Message{}, fmt.Errorf("%w: act %d", errForm, m.Act)
	case m.Fault >= lastFault || m.Fault != None && m.Kind != Answer:
		return Message{}, fmt.Errorf("%w: fault %d", errForm, m.Fault)
	case (m.ID != 0) != (m.Kind == Request || m.Kind == Answer), m.Millis != 0 && m.Kind != Request:
		return Message{}, fmt.Errorf("%w: a number where none belongs", errForm)
	case !zero(b[10:12]) || !zero(b[56:headSize]):
		return Message{}, fmt.Errorf("%w: its gaps are not empty", errForm)
	}
	at := headSize
	for i := range m.Texts {
		n := int(le.Uint16(b[16+2*i:]))
		if n > Size-at {
			return Message{}, fmt.Errorf("%w: its texts are too long", errForm)
		}
		if m.Texts[i] = string(b[at : at+n]); m.Kind != Request && !plain(m.Texts[i]) {
			return Message{}, fmt.Errorf("%w: a text that is not printable", errForm)
		}
		at += n
	}
	if !zero(b[at:]) {
		return Message{}, fmt.Errorf("%w: its gaps are not empty", errForm)
	}
	for i := range m.Nums {
		m.Nums[i] = le.Uint64(b[24+8*i:])
	}
	return m, nil
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// plain says whether a text can be shown as it is.
func plain(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// cut bounds a text and takes out what is not printable.
func cut(s string, most int) string {
	b := make([]rune, 0, min(len(s), most))
	n := 0
	for _, r := range s {
		if !unicode.IsPrint(r) {
			r = '?'
		}
		if n += utf8.RuneLen(r); n > most {
			break
		}
		b = append(b, r)
	}
	return string(b)
}
