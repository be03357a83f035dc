package taskdir

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"skep/internal/cell"
)

// Table writes outcomes for people, a line each and one of all.
func Table(w io.Writer, all []Outcome) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "TASK\tNODE\tTOOK\tSTATUS\tEND\tFILES\tBYTES\tREASON")
	ends := map[string]int{}
	var took []time.Duration
	for _, o := range all {
		ends[o.end()]++
		took = append(took, o.took())
		reason := o.Reason
		if o.Error != "" {
			reason = strings.TrimPrefix(reason+"; "+o.Error, "; ")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%d\t%d\t%s\n", cell.Printable(o.Name), cell.Printable(o.Node), short(o.took()), o.Status,
			cell.Printable(o.end()), o.Files, o.Bytes, cell.Printable(reason))
	}
	if err := t.Flush(); err != nil || len(all) == 0 {
		return err
	}
	var kinds []string
	for end, n := range ends {
		kinds = append(kinds, fmt.Sprintf("%d %s", n, cell.Printable(end)))
	}
	slices.Sort(kinds)
	slices.Sort(took)
	first, last := span(all)
	_, err := fmt.Fprintf(w, "\n%s in %s: %s; half of them took %s or less, the longest %s\n",
		tasks(len(all)), short(last.Sub(first)), strings.Join(kinds, ", "), short(took[(len(took)-1)/2]), short(took[len(took)-1]))
	return err
}

func tasks(n int) string {
	if n == 1 {
		return "1 task"
	}
	return fmt.Sprintf("%d tasks", n)
}

func (o Outcome) end() string {
	if o.End == "" {
		return "unknown"
	}
	return o.End
}

func (o Outcome) took() time.Duration { return max(o.Ended.Sub(o.Began), 0) }

func short(d time.Duration) string {
	if d < time.Minute {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// span is from the first beginning to the last end.
func span(all []Outcome) (first, last time.Time) {
	for i, o := range all {
		if i == 0 || o.Began.Before(first) {
			first = o.Began
		}
		if i == 0 || o.Ended.After(last) {
			last = o.Ended
		}
	}
	return first, last
}

// The picture: a bar for each task, from its beginning to its end, by node.
const (
	barHeight  = 6
	pixelsWide = 900
	leftMargin = 120
	topMargin  = 46
	mostBars   = 10_000
)

// colour is that of a bar: by the exit status, so that a picture of thousands shows what is not as the others.
func (o Outcome) colour() string {
	switch {
	case o.Error != "":
		return "#8e44ad"
	case o.Status == 0:
		return "#2e8b57"
	case o.Status == 6 || o.Status == 7:
		return "#e0a030"
	}
	return "#c0392b"
}

var legend = []struct{ colour, text string }{
	{"#2e8b57", "powered off"}, {"#e0a030", "stopped or out of time"}, {"#c0392b", "died"}, {"#8e44ad", "results not whole"},
}

// SVG draws outcomes: time from left to right, the tasks of each node together.
func SVG(w io.Writer, all []Outcome) error {
	all = slices.Clone(all[:min(len(all), mostBars)])
	slices.SortStableFunc(all, func(a, b Outcome) int {
		if c := strings.Compare(a.Node, b.Node); c != 0 {
			return c
		}
		return a.Began.Compare(b.Began)
	})
	first, last := span(all)
	scale := float64(pixelsWide) / max(last.Sub(first).Seconds(), 1e-3)
	height := topMargin + len(all)*barHeight + 40
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n",
		leftMargin+pixelsWide+20, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	fmt.Fprintf(&b, `<text x="%d" y="16" font-size="13">%s</text>`+"\n", leftMargin,
		escaped(tasks(len(all))+" in "+short(last.Sub(first))))
	x := leftMargin
	for _, l := range legend {
		fmt.Fprintf(&b, `<rect x="%d" y="24" width="10" height="10" fill="%s"/><text x="%d" y="33">%s</text>`+"\n", x, l.colour, x+14, l.text)
		x += 30 + 7*len(l.text)
	}
	node := ""
	for i, o := range all {
		y := topMargin + i*barHeight
		if o.Node != node || i == 0 {
			node = o.Node
			fmt.Fprintf(&b, `<text x="4" y="%d">%s</text><line x1="4" x2="%d" y1="%d" y2="%d" stroke="#cccccc"/>`+"\n",
				y+barHeight+3, escaped(clipped(node)), leftMargin+pixelsWide, y, y)
		}
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"><title>%s</title></rect>`+"\n",
			leftMargin+o.Began.Sub(first).Seconds()*scale, y+1, max(o.took().Seconds()*scale, 1), barHeight-1, o.colour(),
			escaped(fmt.Sprintf("%s on %s: %s in %s", o.Name, o.Node, o.end(), short(o.took()))))
	}
	y := topMargin + len(all)*barHeight
	for i := range 6 {
		at := leftMargin + i*pixelsWide/5
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%d" y2="%d" stroke="#888888"/><text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n",
			at, at, y, y+6, at, y+20, escaped(short(last.Sub(first)*time.Duration(i)/5)))
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// clipped is the name of a node as far as there is room for it.
func clipped(s string) string {
	if r := []rune(s); len(r) > 16 {
		return string(r[:15]) + "…"
	}
	return s
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(cell.Printable(s)))
	return b.String()
}
