package jailconf

import (
	"fmt"
	"strings"
)

// variable reads `$name` or `${name}` at the beginning of s; a dollar before
// anything else is a dollar.
func variable(s string) (p piece, n int, wrong string) {
	if strings.HasPrefix(s, "${") {
		for i := 2; i < len(s); i++ {
			switch s[i] {
			case '}':
				return piece{unescape(s[2:i]), true}, i + 1, ""
			case '\\':
				i++
				continue
			case '\n', '{', '"':
				return p, i, "the name of this variable is not closed with }"
			}
		}
		return p, len(s), "the name of this variable is not closed with }"
	}
	n = 1
	for n < len(s) && (s[n] == '_' || s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || n > 1 && s[n] >= '0' && s[n] <= '9') {
		n++
	}
	if n == 1 {
		return piece{text: "$"}, 1, ""
	}
	return piece{s[1:n], true}, n, ""
}

// escapeLen is how long the escape at the beginning of s is.
func escapeLen(s string) int {
	isHex := func(i int) bool {
		return i < len(s) && strings.IndexByte("0123456789abcdefABCDEF", s[i]) >= 0
	}
	n := 2
	switch {
	case s[1] == 'x' && isHex(2):
		for n < 4 && isHex(n) {
			n++
		}
	case s[1] >= '0' && s[1] <= '7':
		for n < 4 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
	}
	return n
}

// unescape replaces C's escapes. A backslash before a line's end takes both
// away; before anything unknown it only takes itself.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		if s[0] != '\\' || len(s) == 1 {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		n := escapeLen(s)
		code := byte(0)
		switch c := s[1]; {
		case c == 'x':
			for _, d := range []byte(s[2:n]) {
				code = code<<4 | hexValue(d)
			}
			b.WriteByte(code)
		case c >= '0' && c <= '7':
			for _, d := range []byte(s[1:n]) {
				code = code<<3 | (d - '0')
			}
			b.WriteByte(code)
		case c == '\n':
		default:
			if i := strings.IndexByte("abfnrtv", c); i >= 0 {
				c = "\a\b\f\n\r\t\v"[i]
			}
			b.WriteByte(c)
		}
		s = s[n:]
	}
	return b.String()
}

// hexValue is the value of a hexadecimal digit.
func hexValue(d byte) byte {
	if d <= '9' {
		return d - '0'
	}
	return (d | 0x20) - 'a' + 10
}

func quoteByte(c byte) string {
	if c < ' ' || c >= 0x7f {
		return fmt.Sprintf("byte %#02x", c)
	}
	return string(c)
}
