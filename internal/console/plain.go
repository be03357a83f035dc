package console

import (
	"bytes"
	"io"
	"unicode/utf8"

	"skep/internal/cell"
)

// Plain writes to a terminal what a guest has said some time ago: lines stay
// lines, and everything that a terminal would obey is shown as an escape. A title,
// a clear or a question to the terminal was meant for the moment; and what is
// answered now would be typed into the shell, or into the guest.
type Plain struct {
	W io.Writer

	rest []byte // a character that is not whole yet, or a \r
}

// Write escapes what it can; the beginning of a character waits for its end.
func (w *Plain) Write(p []byte) (int, error) {
	text := append(w.rest, p...)
	w.rest = nil
	keep := len(text) - unfinished(text)
	w.rest = append(w.rest, text[keep:]...)
	return len(p), w.show(text[:keep])
}

// Close writes what was still waited for.
func (w *Plain) Close() error {
	rest := w.rest
	w.rest = nil
	return w.show(rest)
}

func (w *Plain) show(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	var b bytes.Buffer
	for len(text) > 0 {
		line, rest, ended := bytes.Cut(text, []byte("\n"))
		text = rest
		if ended {
			line = bytes.TrimRight(line, "\r") // however many ends of line it went through
		}
		for i, field := range bytes.Split(line, []byte("\t")) {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(cell.Printable(string(field)))
		}
		if ended {
			b.WriteByte('\n')
		}
	}
	_, err := w.W.Write(b.Bytes())
	return err
}

// unfinished is how many bytes at the end may belong to what comes next.
func unfinished(text []byte) int {
	if n := len(text) - len(bytes.TrimRight(text, "\r")); n > 0 {
		return min(n, longest) // the end of a line, perhaps
	}
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if b := text[len(text)-n]; utf8.RuneStart(b) {
			if b >= utf8.RuneSelf && !utf8.FullRune(text[len(text)-n:]) {
				return n
			}
			break
		}
	}
	return 0
}
