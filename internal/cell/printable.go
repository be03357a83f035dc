package cell

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Printable returns s with everything that a terminal would obey rather than
// show written as an escape: control characters, invisible and
// direction-changing ones, and bytes that are no UTF-8. A cell file may come
// from anywhere, and an error message must not move the cursor.
func Printable(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		b.WriteString(printable(r, s[:n]))
		s = s[n:]
	}
	return b.String()
}

// printable is how one rune is shown; raw is what stands for it in the file.
func printable(r rune, raw string) string {
	const hex = "0123456789abcdef"
	switch {
	case r == utf8.RuneError && len(raw) == 1, r < 0x80 && !unicode.IsPrint(r):
		return `\x` + string(hex[raw[0]>>4]) + string(hex[raw[0]&15])
	case unicode.IsPrint(r):
		return raw
	}
	var b strings.Builder
	b.WriteString(`\u{`)
	started := false
	for shift := 20; shift >= 0; shift -= 4 {
		digit := r >> shift & 15
		if started = started || digit != 0; started {
			b.WriteByte(hex[digit])
		}
	}
	b.WriteByte('}')
	return b.String()
}

// columns is the number of terminal columns that printable text takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
			// Combining marks sit on the character before them.
		case wide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	k := width.LookupRune(r).Kind()
	return k == width.EastAsianWide || k == width.EastAsianFullwidth
}

// shorten cuts s to at most max characters and to its first line.
func shorten(s string, max int) string {
	line, _, more := strings.Cut(s, "\n")
	line = strings.TrimRight(line, "\r")
	if runes := []rune(line); len(runes) > max {
		line, more = string(runes[:max-1]), true
	}
	if more {
		line += "…"
	}
	return line
}
