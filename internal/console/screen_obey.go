package console

import (
	"slices"
	"strconv"
	"strings"
)

// sequence decides what becomes of an ESC or a CSI.
func (h *screenHandler) sequence(q sequence) {
	s := (*Screen)(h)
	if q.kind == 0x1b && q.body == "" && q.final == '\\' {
		return // the end of a string, which was written with it
	}
	s.touched = true
	pass := true
	if q.kind == '[' {
		q, pass = s.csi(q)
	} else {
		pass = s.esc(q)
	}
	if pass {
		s.out.WriteString(q.text())
	}
}

// esc decides about an ESC.
func (s *Screen) esc(q sequence) (pass bool) {
	switch {
	case q.body == "" && q.final == 'c':
		s.reset()
		return false
	case q.body == "#" && q.final == '8': // fills the screen
		s.place()
	case q.body == "" && q.final == 'H':
		s.saw("tabs")
	case q.body == "" && q.final == 'Z': // who are you
		s.queried = true
	case q.body == "" && q.final == 'l':
		s.saw("memory")
	case q.body == "%":
		s.saw("utf8")
	}
	return true
}

// quiet are the finals of a CSI that no terminal answers.
const quiet = "@ABCDEFGHIJKLMPSTXZ`abdefghlmrs"

// csi decides about a CSI, and may change it.
func (s *Screen) csi(q sequence) (sequence, bool) {
	mark, n, between := q.parts()
	if between != "" || strings.IndexByte(quiet, q.final) < 0 {
		return q, s.seldom(q.final, mark, n[0], between)
	}
	switch q.final {
	case 'J':
		return q, s.erase(n[0])
	case 'H', 'f', 'd':
		s.place()
	case 'r':
		if mark == 0 {
			s.place()
			s.saw("region")
		}
	case 'm':
		if mark == '>' {
			s.saw("keys")
		}
	case 'g':
		s.saw("tabs")
	case 'h', 'l':
		if mark == '?' {
			return s.mode(q, n)
		}
	}
	return q, true
}

// erase is ED: what may be wiped.
func (s *Screen) erase(what int) (pass bool) {
	switch {
	case what == 3:
		return false // the lines above the screen
	case s.placed || s.alternate:
		return true
	case what == 2:
		s.fresh()
		return false
	case what == 1:
		s.place()
	}
	return true
}

// mode is DECSET and DECRST. A change of the number of columns clears the screen
// and resizes the window; it is left out.
func (s *Screen) mode(q sequence, numbers []int) (sequence, bool) {
	on := q.final == 'h'
	var kept []string
	for _, m := range numbers {
		switch m {
		case 3:
			continue
		case 6:
			s.place()
			s.origin = on
		case 47, 1047, 1049:
			s.alternate = on
		}
		if s.modes == nil {
			s.modes = map[int]bool{}
		}
		if _, known := s.modes[m]; m > 0 && m != 6 && (known || len(s.modes) < maxModes) {
			s.modes[m] = on
		}
		if m >= 0 {
			kept = append(kept, strconv.Itoa(m))
		}
	}
	q.body = "?" + strings.Join(kept, ";")
	return q, len(kept) > 0
}

// seldom are the CSIs with a final or an intermediate of their own. Most of them
// ask the terminal something.
func (s *Screen) seldom(final, mark byte, n int, between string) (pass bool) {
	switch {
	case final == 'q' && between == " ":
		s.saw("cursor")
	case final == 'q' && between == "\"":
		s.saw("protect")
	case final == 'p' && between == "!": // soft reset
	case final == 'u' && (mark == '=' || mark == '>' || mark == '<'):
		s.saw("kitty")
	case final == 'u' && mark == 0: // restores the cursor
	case final == 'i' && between == "": // prints
		return false
	case final == 't' && between == "" && mark == 0:
		// Reports of the window's size are a guest's to ask for, and its title is
		// told to whoever could set it. The window itself is not its.
		if !slices.Contains([]int{11, 13, 14, 15, 16, 18, 19, 20, 21}, n) {
			return false
		}
		s.queried = true
	default:
		s.queried = true
	}
	return true
}
