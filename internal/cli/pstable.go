package cli

import (
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"skep/internal/cell"
	"skep/internal/store"
)

// invalid is what ps calls the state of a cell that does not run and whose
// file has mistakes.
const invalid = "invalid"

// ready is what ps calls the state of a cell of a pool that nobody has taken yet.
const ready = "ready"

// idle says whether ps leaves a cell out unless it is asked for all of them:
// it is stopped or never ran, and nothing about it needs a look.
func idle(c cellJSON) bool { return c.State == string(store.Stopped) && c.FileError == "" }

// column is one column of ps.
type column struct {
	head string
	of   func(cellJSON) string
}

// psColumns are the columns of ps in order, and psFirstOut those that a narrow
// terminal does without, the least missed first.
var (
	psColumns = []column{
		{"NAME", func(c cellJSON) string { return c.Name }},
		{"STATE", stateText},
		{"PID", func(c cellJSON) string { return dash(c.PID) }},
		{"UID", uidText},
		{"ACCEL", func(c cellJSON) string { return orDash(accelText(c)) }},
		{"SINCE", func(c cellJSON) string { return ago(c.Since) }},
		{"REASON", reasonText},
	}
	psFirstOut = []string{"UID", "ACCEL", "PID", "SINCE"}
)

// reasonRoom is how much of a line a narrow terminal leaves to the reason.
const reasonRoom = 24

// accelText is what executes a guest: of one that is there.
func accelText(c cellJSON) string {
	if c.PID == 0 {
		return ""
	}
	return c.Accel
}

func stateText(c cellJSON) string {
	if c.FileError != "" && c.State == string(store.Stopped) {
		return invalid
	}
	return c.State
}

// reasonText is the reason of a state; a mistake in the file of a cell that
// does not run goes before what became of it last.
func reasonText(c cellJSON) string {
	if c.Unexpected > 0 {
		n := c.Unexpected
		c.Unexpected = 0
		calls := "calls"
		if n == 1 {
			calls = "call"
		}
		return strings.TrimSuffix(fmt.Sprintf("%d %s refused, see skep show; %s", n, calls, reasonText(c)), "; ")
	}
	if c.Owner != "" {
		return strings.TrimPrefix(c.Reason+"; "+c.Owner+"'s: you may "+strings.Join(c.May, ", "), "; ")
	}
	if c.FileError == "" {
		return strings.Trim(c.Reason+"; "+c.differsText(), "; ")
	}
	mistake := "mistake in " + inDirectory(c.FileError)
	if c.Reason == "" || stateText(c) == invalid {
		return mistake
	}
	return c.Reason + "; " + mistake
}

// inDirectory is a mistake without the directory of its file, which most cells
// share and which fills a line.
func inDirectory(mistake string) string {
	place, _, _ := strings.Cut(mistake, ": ")
	return mistake[strings.LastIndexByte(place, '/')+1:]
}

// printCells writes the table, cut to the width of the terminal where standard
// output is one.
func (a *app) printCells(cells []cellJSON) error {
	width := 0
	if tty := terminal(a.out); tty != nil {
		width = columnsOf(tty)
	}
	for _, line := range psLines(cells, width) {
		a.printf("%s\n", line)
	}
	return nil
}

// columnsOf is the width of a terminal, 0 where it is not known.
func columnsOf(tty *os.File) int {
	w, _, err := term.GetSize(int(tty.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// psLines are the lines of the table; none is wider than width, unless that is
// 0, or too small for the names and states.
func psLines(cells []cellJSON, width int) []string {
	cols := psColumns
	for _, out := range psFirstOut {
		if width == 0 || tableWidth(cols, cells)+reasonRoom <= width {
			break
		}
		cols = without(cols, out)
	}
	widths := widthsOf(cols, cells)
	lines := []string{psLine(cols, widths, width, func(c column) string { return c.head })}
	for _, one := range cells {
		lines = append(lines, psLine(cols, widths, width, func(c column) string { return cell.Printable(c.of(one)) }))
	}
	return lines
}

func psLine(cols []column, widths []int, width int, text func(column) string) string {
	var b strings.Builder
	for i, c := range cols {
		s := text(c)
		b.WriteString(s)
		if i < len(cols)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(s)+2))
		}
	}
	line := []rune(strings.TrimRight(b.String(), " "))
	if width > 1 && len(line) > width {
		line = append(line[:width-1], '…')
	}
	return string(line)
}

// widthsOf are the widths of the columns; tableWidth is that of all but the
// last, which is cut.
func widthsOf(cols []column, cells []cellJSON) []int {
	widths := make([]int, len(cols))
	for i, c := range cols {
		widths[i] = utf8.RuneCountInString(c.head)
		for _, one := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell.Printable(c.of(one))))
		}
	}
	return widths
}

func tableWidth(cols []column, cells []cellJSON) (sum int) {
	for _, w := range widthsOf(cols[:len(cols)-1], cells) {
		sum += w + 2
	}
	return sum
}

func without(cols []column, head string) (rest []column) {
	for _, c := range cols {
		if c.head != head {
			rest = append(rest, c)
		}
	}
	return rest
}

// natural orders names as people do: web2 before web10.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := number(a), number(b)
		if x > 0 && y > 0 {
			p, q := strings.TrimLeft(a[:x], "0"), strings.TrimLeft(b[:y], "0")
			if len(p) != len(q) {
				return len(p) - len(q)
			}
			if c := strings.Compare(p, q); c != 0 {
				return c
			}
			if x != y { // 02 and 2: the shorter first
				return x - y
			}
			a, b = a[x:], b[y:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// number is how many digits a text begins with.
func number(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}
