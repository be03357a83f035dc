package console

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Screen is a terminal that a guest writes to for a while. The guest has all of
// it but for what would outlast its stay or reach past it:
//
//   - A full reset (ESC c, which SeaBIOS begins with) and a clear of the screen
//     wipe nothing that was there before: until the guest places its cursor it
//     gets a fresh line instead, and what is on the screen when it first does so
//     is scrolled away, not written over.
//   - The lines above the screen are the operator's: they are never erased.
//   - The window's size, the stack of its titles and the printer are, too.
//
// What a guest changes is written down, and Restore takes it back.
type Screen struct {
	W io.Writer
	// Rows is how high the terminal is; nil is 24.
	Rows func() int

	scan sequences
	out  bytes.Buffer

	touched   bool         // a sequence or a shift came: there may be something to take back
	queried   bool         // the terminal may have answered something
	placed    bool         // the guest has placed its cursor
	midLine   bool         // text stands on the current line
	origin    bool         // positions are counted from the margins
	alternate bool         // on the alternate screen
	modes     map[int]bool // private modes, as the guest set them
	extra     map[string]bool
	str       []byte // the beginning of a string
	strKind   byte
}

// maxModes bounds what is remembered of modes that nobody has heard of.
const maxModes = 64

// Write hands on what may pass. A sequence is held back until it is whole.
func (s *Screen) Write(p []byte) (int, error) {
	for _, b := range p {
		s.scan.feed(b, (*screenHandler)(s))
	}
	if s.out.Len() == 0 {
		return len(p), nil
	}
	_, err := s.W.Write(s.out.Bytes())
	s.out.Reset()
	return len(p), err
}

// Queried says whether the terminal may have answered something that it was
// asked: then there may be input that nobody typed.
func (s *Screen) Queried() bool { return s.queried }

// Begin is written before the guest's first byte: the window's title goes on a
// stack, from which Restore takes it with end.
const (
	Begin = "\x1b[22;0t"
	end   = "\x1b[23;0t"
)

// Restore is what makes the terminal as it was, and puts the cursor on a line of
// its own.
func (s *Screen) Restore() string {
	var b strings.Builder
	if !s.touched {
		b.WriteString(end)
		if s.midLine {
			b.WriteString("\r\n")
		}
		return b.String()
	}
	if s.scan.pending() {
		b.WriteByte(0x18) // CAN: what was not finished is not carried out
	}
	b.WriteString("\x1b\\")
	b.WriteString(s.soft())
	b.WriteString(end)
	switch {
	case s.placed && !s.alternate:
		b.WriteString("\x1b[9999;1H\r\n")
	case s.midLine:
		b.WriteString("\r\n")
	}
	return b.String()
}

// always is taken back without a look at what came: it costs nothing where
// nothing was changed, moves no cursor, and holds where a terminal reads a
// sequence otherwise than we do.
const always = "\x1b[?7h" + // wrap
	"\x1b[?25h" + // cursor
	"\x1b[0m" + // colours
	"\x1b(B\x0f" + // character set
	"\x1b[2l\x1b[4l\x1b[20l\x1b[12h" + // keyboard lock, insert, newline, local echo
	"\x1b[?1l\x1b>" + // keys
	"\x1b[?5l" + // reverse video
	"\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l" // mouse, focus, paste

// extras are taken back where they were seen, in this order.
var extras = []struct{ seen, undo string }{
	{"region", "\x1b7\x1b[r\x1b8"},
	{"cursor", "\x1b[0 q"},
	{"protect", "\x1b[0\"q"},
	{"utf8", "\x1b%G"},
	{"memory", "\x1bm"},
	{"keys", "\x1b[>4m"},
	{"kitty", "\x1b[=0u"},
	{"link", "\x1b]8;;\x1b\\"},
	{"palette", "\x1b]104\x1b\\"},
	{"dynamic", "\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\"},
}

// onByDefault are the private modes that are on in a terminal that nobody has
// touched.
var onByDefault = []int{7, 25, 8, 1034, 1035}

// soft is a reset that clears nothing and leaves the cursor where it is.
func (s *Screen) soft() string {
	var b strings.Builder
	if s.origin {
		b.WriteString("\x1b[?6l")
	}
	var modes []int
	for m := range s.modes {
		modes = append(modes, m)
	}
	slices.Sort(modes)
	for _, m := range modes {
		if on := slices.Contains(onByDefault, m); on != s.modes[m] {
			b.WriteString("\x1b[?" + strconv.Itoa(m) + map[bool]string{true: "h", false: "l"}[on])
		}
	}
	b.WriteString(always)
	for _, e := range extras {
		if s.extra[e.seen] {
			b.WriteString(e.undo)
		}
	}
	if s.extra["tabs"] {
		b.WriteString("\r\x1b[3g" + strings.Repeat("\x1b[8C\x1bH", 31) + "\r")
	}
	if s.extra["palette"] && strings.HasPrefix(os.Getenv("TERM"), "linux") {
		b.WriteString("\x1b]R")
	}
	return b.String()
}

func (s *Screen) saw(what string) {
	if s.extra == nil {
		s.extra = map[string]bool{}
	}
	s.extra[what] = true
}

// place is called before the guest first puts its cursor somewhere: what stands
// on the screen is scrolled up and stays.
func (s *Screen) place() {
	if s.placed || s.alternate {
		return
	}
	s.placed = true
	rows := 24
	if s.Rows != nil {
		rows = s.Rows()
	}
	s.out.WriteString("\x1b[9999;1H" + strings.Repeat("\n", min(max(rows, 1), 500)) + "\x1b[H")
}

// fresh is what a guest gets for a clear of a screen that it has placed nothing
// on.
func (s *Screen) fresh() {
	if s.midLine {
		s.out.WriteString("\r\n")
		s.midLine = false
	}
}

// reset is ESC c.
func (s *Screen) reset() {
	s.out.WriteString(s.soft())
	s.modes, s.origin, s.alternate = nil, false, false
	s.extra = nil
	if s.placed {
		s.out.WriteString("\x1b[H\x1b[2J")
	} else {
		s.fresh()
	}
}

// screenHandler keeps the callbacks of the scanner out of Screen's methods.
type screenHandler Screen

func (h *screenHandler) text(b byte) {
	h.midLine = true
	h.out.WriteByte(b)
}

func (h *screenHandler) control(b byte) {
	switch b {
	case '\n', '\v', '\f':
		h.midLine = false
	case 0x05: // ENQ
		h.queried = true
	case 0x0e: // SO
		h.touched = true
	}
	h.out.WriteByte(b)
}

func (h *screenHandler) open(intro byte) {
	h.touched = true
	h.strKind, h.str = intro, h.str[:0]
	h.out.WriteString("\x1b" + string(intro))
}

func (h *screenHandler) inside(b byte) {
	if len(h.str) < longest {
		h.str = append(h.str, b)
	}
	h.out.WriteByte(b)
}

func (h *screenHandler) closed(whole bool) {
	if !whole {
		h.out.WriteByte(0x18)
		return
	}
	h.out.WriteString("\x1b\\")
	(*Screen)(h).noteString(h.strKind, string(h.str))
}

// noteString writes down what a string has changed or asked.
func (s *Screen) noteString(kind byte, text string) {
	number, rest, _ := strings.Cut(text, ";")
	n, err := strconv.Atoi(number)
	asks := strings.Contains(rest, "?") || len(text) >= longest
	switch {
	case kind == 'k', kind == ']' && err == nil && n <= 2:
		return // a title
	case kind == ']' && err == nil && n == 8:
		s.saw("link")
		return
	case kind == ']' && (err == nil && (n == 4 || n == 5) || strings.HasPrefix(text, "P")):
		s.saw("palette")
	case kind == ']' && err == nil && n >= 10 && n <= 19:
		s.saw("dynamic")
	default:
		asks = true // who knows
	}
	s.queried = s.queried || asks
}
