package evidence

import (
	"bytes"
	_ "embed"
	"html/template"
	"path"
	"slices"
	"strings"
	"time"

	"skep/internal/cell"
	"skep/internal/events"
)

//go:embed page.html
var pageText string

// page is parsed at its use: one archive is made at a time.
func pageTemplate() (*template.Template, error) { return template.New("page").Parse(pageText) }

// Picture is a picture of the screen, and when it was taken.
type Picture struct {
	Name string
	Time time.Time
}

// Page is what the page of an archive shows. Texts may be the guest's.
type Page struct {
	Cell, Run, By string
	Made          time.Time
	Running       bool
	Events        []events.Event
	Pictures      []Picture
	Sheet         string // the contact sheet's name, "" for none
	Audits        []Audit
	Files         []Entry
	Missing       []Missing
	Console       []byte // its end
	Diff          []DiffLine
}

// Audit is one audit in a line.
type Audit struct {
	Name, Text string
	OK         bool
}

// DiffLine is a file of a disk that is not as in its base.
type DiffLine struct{ Disk, What, Path, SHA256 string }

// row is a row of the timeline.
type row struct {
	Time, Since, Kind, Text, Picture string
	Bad                              bool
}

// maxRows bounds the timeline: of more, the first and the last are shown.
const maxRows = 4000

// HTML is the page. Nothing in it is executed: it has no script, and says so to the browser.
func (p Page) HTML() ([]byte, error) {
	var start time.Time
	if len(p.Events) > 0 {
		start = p.Events[0].Time
	}
	var rows []row
	add := func(at time.Time, kind, text, picture string, bad bool) {
		since := at.Sub(start).Round(time.Millisecond)
		rows = append(rows, row{at.UTC().Format("15:04:05.000"), since.String(), kind, cell.Printable(text), picture, bad})
	}
	type moment struct {
		at  time.Time
		add func()
	}
	var all []moment
	for _, e := range p.Events {
		bad := e.Kind == events.Refused || e.Kind == events.Disk || e.Kind == events.Torn || e.Kind == events.Cut
		all = append(all, moment{e.Time, func() { add(e.Time, string(e.Kind), e.String(), "", bad) }})
	}
	for _, s := range p.Pictures {
		all = append(all, moment{s.Time, func() { add(s.Time, "screen", path.Base(s.Name), s.Name, false) }})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	left := 0
	if len(all) > maxRows {
		left = len(all) - maxRows
		all = slices.Concat(all[:maxRows/2], all[len(all)-maxRows/2:])
	}
	for _, m := range all {
		m.add()
	}
	t, err := pageTemplate()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"P": p, "Rows": rows, "Left": left, "Made": p.Made.UTC().Format(time.RFC3339), "Console": consoleText(p.Console), "Diff": printable(p.Diff),
	})
	return b.Bytes(), err
}

// printable is the lines of a diff without what a browser would obey in a name.
func printable(lines []DiffLine) (all []DiffLine) {
	for _, l := range lines {
		all = append(all, DiffLine{cell.Printable(l.Disk), l.What, cell.Printable(l.Path), cell.Printable(l.SHA256)})
	}
	return all
}

// consoleText is a console's bytes as lines without what a terminal would obey.
func consoleText(b []byte) string {
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		out.WriteString(cell.Printable(strings.TrimRight(line, "\r\n")))
		out.WriteByte('\n')
	}
	return out.String()
}
