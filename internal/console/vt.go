package console

import (
	"strconv"
	"strings"
)

// What a guest writes is a stream of text and of sequences that a terminal
// obeys: ECMA-48, and xterm's ctlseqs for what came after it. sequences cuts the
// stream at their borders, as terminals do, and hands each whole sequence to its
// handler. A sequence may come in pieces.

// sequence is one that is whole.
type sequence struct {
	kind  byte   // 0x1b for ESC, '[' for CSI
	body  string // parameters and intermediates of a CSI, intermediates of an ESC
	final byte
}

// text is the sequence as it is written.
func (s sequence) text() string {
	if s.kind == '[' {
		return "\x1b[" + s.body + string(s.final)
	}
	return "\x1b" + s.body + string(s.final)
}

// parts are a CSI's private mark, its numbers and its intermediates. A number
// that is not there is -1.
func (s sequence) parts() (mark byte, numbers []int, between string) {
	body := s.body
	if body != "" && body[0] >= '<' && body[0] <= '?' {
		mark, body = body[0], body[1:]
	}
	end := strings.IndexFunc(body, func(r rune) bool { return r < '0' || r > ';' })
	if end >= 0 {
		body, between = body[:end], body[end:]
	}
	for _, f := range strings.Split(body, ";") {
		n, err := strconv.Atoi(f)
		if err != nil {
			n = -1
		}
		numbers = append(numbers, n)
	}
	return mark, numbers, between
}

// handler takes what a stream is made of.
type handler interface {
	text(b byte)       // one byte that is shown or is part of a character
	control(b byte)    // a C0 control
	sequence(sequence) // a whole ESC or CSI
	open(intro byte)   // a string begins: ] OSC, P DCS, X SOS, ^ PM, _ APC, k a title of screen(1)
	inside(b byte)     // a byte of it
	closed(whole bool) // it ends; not whole: cancelled
}

// longest bounds a sequence that is held back until it is whole. Terminals give
// up on longer ones, too.
const longest = 256

type scanState int

const (
	inGround scanState = iota
	inC2               // after 0xc2, which begins the UTF-8 forms of C1 controls
	inEscape
	inCSI
	inString
	inStringC2
)

// sequences is the state between two pieces of a stream.
type sequences struct {
	state scanState
	body  []byte
}

// pending says whether the terminal is in the middle of a sequence or a string.
func (s *sequences) pending() bool { return s.state == inString || s.state == inStringC2 }

func (s *sequences) feed(b byte, h handler) {
	switch {
	case s.state == inC2:
		s.state, s.body = inGround, s.body[:0]
		if b >= 0x80 && b <= 0x9f {
			s.escape(b-0x40, h) // as its form in seven bits
			return
		}
		h.text(0xc2)
		s.feed(b, h)
	case s.state == inStringC2:
		s.state = inString
		if b >= 0x80 && b <= 0x9f {
			h.closed(true) // by ST or whatever else of them
			s.state, s.body = inEscape, s.body[:0]
			s.escape(b-0x40, h)
			return
		}
		h.inside(0xc2)
		s.feed(b, h)
	case b == 0x1b:
		if s.state == inString {
			h.closed(true)
		}
		s.state, s.body = inEscape, s.body[:0]
	case s.state == inString:
		s.inString(b, h)
	case b == 0x18 || b == 0x1a: // CAN, SUB
		s.state = inGround
	case b < 0x20:
		h.control(b) // also in the middle of a sequence
	case s.state == inEscape:
		s.escape(b, h)
	case s.state == inCSI:
		s.csi(b, h)
	case b == 0xc2:
		s.state = inC2
	case b == 0x7f:
		h.control(b)
	default:
		h.text(b)
	}
}

func (s *sequences) inString(b byte, h handler) {
	switch b {
	case 0x18, 0x1a:
		s.state = inGround
		h.closed(false)
	case 0x07:
		s.state = inGround
		h.closed(true)
	case 0xc2:
		s.state = inStringC2
	default:
		h.inside(b)
	}
}

func (s *sequences) escape(b byte, h handler) {
	switch {
	case b >= 0x20 && b <= 0x2f:
		s.state = inEscape
		s.hold(b)
	case b > 0x7e:
		s.state = inGround // none that a terminal knows
	case len(s.body) == 0 && b == '[':
		s.state, s.body = inCSI, s.body[:0]
	case len(s.body) == 0 && strings.IndexByte("]PX^_k", b) >= 0:
		s.state = inString
		h.open(b)
	default:
		s.state = inGround
		h.sequence(sequence{0x1b, string(s.body), b})
		s.body = s.body[:0]
	}
}

func (s *sequences) csi(b byte, h handler) {
	switch {
	case b < 0x40:
		s.hold(b)
	case b > 0x7e:
		s.state = inGround
	default:
		s.state = inGround
		h.sequence(sequence{'[', string(s.body), b})
		s.body = s.body[:0]
	}
}

// hold keeps a byte of a sequence; one that is too long is given up.
func (s *sequences) hold(b byte) {
	if len(s.body) >= longest {
		s.state, s.body = inGround, s.body[:0]
		return
	}
	s.body = append(s.body, b)
}
