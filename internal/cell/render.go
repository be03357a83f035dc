package cell

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/apparentlymart/go-textseg/v15/textseg"
)

// maxShown bounds what is printed of a hopeless file, and maxColumns how much
// of a line.
const (
	maxShown   = 50
	maxColumns = 120
)

// Render writes every mistake with its line of src, a caret below the place,
// and the hint. src is the text that was parsed; it may be nil.
func (ds Diagnostics) Render(w io.Writer, src []byte) error {
	var b bytes.Buffer
	lines := bytes.Split(bytes.TrimPrefix(src, bom), []byte("\n"))
	for i, d := range ds {
		if i == maxShown {
			fmt.Fprintf(&b, "skep: error: cannot show the %d mistakes that follow\n", len(ds)-maxShown)
			break
		}
		fmt.Fprintf(&b, "skep: error: %s\n", d.Error())
		if n := d.Pos.Line; src != nil && n >= 1 && n <= len(lines) {
			excerpt(&b, d, bytes.TrimRight(lines[n-1], "\r"))
		}
		if d.Hint != "" {
			fmt.Fprintf(&b, "skep: hint: %s\n", d.Hint)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// excerpt shows a line and marks the part of it that d is about. Text before
// the mark is measured as it is shown, not as it is stored; tabs are repeated
// in the line of the caret, so that they end at the same stop whatever its
// width.
func excerpt(b *bytes.Buffer, d Diagnostic, line []byte) {
	start := offset(line, d.Pos.Column)
	end := start
	switch {
	case d.End.Line == d.Pos.Line:
		end = max(start, offset(line, d.End.Column))
	case d.End.Line > d.Pos.Line:
		end = len(line)
	}
	before, marked, after := shown(line[:start]), shown(line[start:end]), shown(line[end:])
	before, marked, after = clip(before, marked, after)

	fmt.Fprintf(b, "%5d | %s%s%s\n", d.Pos.Line, before, marked, after)
	fmt.Fprintf(b, "      | %s%s\n", tabbed(before), strings.Repeat("^", max(1, columns(marked))))
}

// offset is the byte at which a column begins. HCL counts columns in grapheme
// clusters, so they are counted the same way here.
func offset(line []byte, column int) int {
	at := 0
	for ; column > 1 && at < len(line); column-- {
		n, _, err := textseg.ScanGraphemeClusters(line[at:], true)
		if err != nil || n <= 0 {
			return at
		}
		at += n
	}
	return at
}

// shown is a piece of a line as it is printed: safe, with its tabs kept.
func shown(piece []byte) string {
	parts := strings.Split(string(piece), "\t")
	for i, p := range parts {
		parts[i] = Printable(p)
	}
	return strings.Join(parts, "\t")
}

// tabbed is blank space as wide as s, tab for tab.
func tabbed(s string) string {
	parts := strings.Split(s, "\t")
	for i, p := range parts {
		parts[i] = strings.Repeat(" ", columns(p))
	}
	return strings.Join(parts, "\t")
}

// clip keeps a long line readable: the marked part and what stands around it.
func clip(before, marked, after string) (string, string, string) {
	if n := utf8.RuneCountInString(before); n > maxColumns/2 {
		before = "…" + string([]rune(before)[n-maxColumns/2:])
	}
	room := maxColumns - utf8.RuneCountInString(before)
	if r := []rune(marked); len(r) > room {
		return before, string(r[:room]), "…"
	}
	room -= utf8.RuneCountInString(marked)
	if r := []rune(after); len(r) > room {
		after = string(r[:room]) + "…"
	}
	return before, marked, after
}
