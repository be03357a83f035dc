package jailconf

import "strings"

type tokenKind int

const (
	tokEnd  tokenKind = iota
	tokWord           // a string, in pieces
	tokMark           // one of { } ; = , +=
	tokBad            // reported already
)

type token struct {
	kind   tokenKind
	mark   string
	pieces []piece
	pos    Pos
}

// lexer cuts a file into the tokens of usr.sbin/jail/jaillex.l.
type lexer struct {
	file string
	text string
	off  int
	line int
	bol  int // where the line begins
	errs *Errors
}

// atom holds what a string without quotes is made of beside letters and digits.
const atom = "_!%&()-.:<>?@[]^`|~"

func isAtom(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(atom, c) >= 0
}

func (l *lexer) pos() Pos { return Pos{l.file, l.line, l.off - l.bol + 1} }

func (l *lexer) fail(at Pos, what string) {
	*l.errs = append(*l.errs, &Error{at, what})
}

// skip goes n bytes on and counts lines.
func (l *lexer) skip(n int) string {
	s := l.text[l.off : l.off+n]
	for i := 0; i < n; i++ {
		l.off++
		if s[i] == '\n' {
			l.line++
			l.bol = l.off
		}
	}
	return s
}

func (l *lexer) rest() string { return l.text[l.off:] }

// blank skips white space and the three kinds of comments.
func (l *lexer) blank() bool {
	for l.off < len(l.text) {
		rest := l.rest()
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.skip(1)
		case rest[0] == '#' || strings.HasPrefix(rest, "//"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			l.skip(n)
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				l.fail(l.pos(), "this comment is not closed")
				l.skip(len(rest))
				return false
			}
			l.skip(n + 4)
		default:
			return true
		}
	}
	return true
}

// next is the next token. Pieces that touch each other are one string.
func (l *lexer) next() token {
	if !l.blank() {
		return token{kind: tokBad, pos: l.pos()}
	}
	t := token{pos: l.pos()}
	rest := l.rest()
	switch {
	case rest == "":
		return t
	case strings.HasPrefix(rest, "+="):
		t.kind, t.mark = tokMark, l.skip(2)
		return t
	case strings.IndexByte(",;={}", rest[0]) >= 0:
		t.kind, t.mark = tokMark, l.skip(1)
		return t
	}
	t.kind = tokWord
	for l.off < len(l.text) {
		pieces, ok, more := l.piece()
		if !ok {
			return token{kind: tokBad, pos: t.pos}
		}
		if !more {
			break
		}
		t.pieces = append(t.pieces, pieces...)
	}
	return t
}

// piece reads what belongs to the string that the lexer is in; there is no
// more where something else begins.
func (l *lexer) piece() (pieces []piece, ok, more bool) {
	rest := l.rest()
	c := rest[0]
	n := 0
	for n < len(rest) && isAtom(rest[n]) {
		n++
	}
	switch {
	case n > 0:
		return []piece{{text: l.skip(n)}}, true, true
	case strings.IndexByte(" \t\r\n#,;={}", c) >= 0 || strings.HasPrefix(rest, "//") || strings.HasPrefix(rest, "/*") || strings.HasPrefix(rest, "+="):
		return nil, true, false
	case c == '\'' || c == '"':
		return l.quoted(c)
	case c == '$':
		at := l.pos()
		p, n, wrong := variable(rest)
		l.skip(n)
		if wrong != "" {
			l.fail(at, wrong)
		}
		return []piece{p}, wrong == "", true
	case c == '\\' && len(rest) > 1:
		return []piece{{text: unescape(l.skip(escapeLen(rest)))}}, true, true
	case strings.IndexByte("*+/\\", c) >= 0:
		return []piece{{text: l.skip(1)}}, true, true
	}
	l.fail(l.pos(), "this character has no place outside of quotes: "+quoteByte(c))
	l.skip(1)
	return nil, false, false
}

// quoted reads a string in quotes. In double quotes variables count.
func (l *lexer) quoted(q byte) (pieces []piece, ok, more bool) {
	at, rest := l.pos(), l.rest()
	end := 1
	for end < len(rest) && rest[end] != q {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(rest) {
		l.fail(at, "this string is not closed")
		l.skip(len(rest))
		return nil, false, false
	}
	body := l.skip(end + 1)[1:end]
	if q == '\'' {
		return []piece{{text: unescape(body)}}, true, true
	}
	plain := 0
	for i := 0; i < len(body); {
		switch body[i] {
		case '\\':
			i += 2
		case '$':
			pieces = append(pieces, piece{text: unescape(body[plain:i])})
			p, n, wrong := variable(body[i:])
			if wrong != "" {
				l.fail(at, wrong)
				return nil, false, false
			}
			pieces = append(pieces, p)
			i += n
			plain = i
		default:
			i++
		}
	}
	if plain < len(body) || len(pieces) == 0 {
		pieces = append(pieces, piece{text: unescape(body[plain:])})
	}
	return pieces, true, true
}
