// Package report is what came of a drill: its rows, the matrix of layers and the comparison with other
// sandboxes, as data, as JSON and as text. It attacks nothing and looks at no machine.
package report

import (
	"fmt"
	"io"
	"time"
)

// Version is the version of the JSON form of a Report.
const Version = 1

// Verdict is what one attempt comes to.
type Verdict string

// The verdicts. A drill is passed when nothing escaped.
const (
	Stopped Verdict = "stopped"
	Escaped Verdict = "escaped"
	Allowed Verdict = "allowed" // in the start only: it succeeds, and How says why it lets nobody out
	Skipped Verdict = "skipped" // there was nothing to try it on, or nothing that promised to stop it
)

// Row is one attempt and what came of it.
type Row struct {
	ID      string   `json:"id"`
	Group   string   `json:"group"`
	Tries   string   `json:"tries"`
	Scene   string   `json:"scene"`
	Phase   string   `json:"phase"` // "run", or "start" for what is tried before the guest is prepared
	Verdict Verdict  `json:"verdict"`
	How     string   `json:"how"`  // the errno, "killed", "absent"; what was reached; why it was skipped
	Want    []string `json:"want"` // what stops look like where the tables were made
	Layers  []string `json:"layers"`
}

// Expected says whether it was stopped in the way that the table has.
func (r Row) Expected() bool {
	for _, w := range r.Want {
		if w == r.How {
			return r.Verdict == Stopped
		}
	}
	return false
}

// The scenes of a drill: in whose place the attacker is.
const (
	SceneHypervisor = "hypervisor"
	SceneWorker     = "worker"
	SceneSinkhole   = "sinkhole"
	SceneUser       = "user network"
	SceneSegment    = "segment"
	SceneCapture    = "capture"
	SceneTPM        = "TPM"
)

// Scene is what the attempts in one place came to.
type Scene struct {
	Name     string `json:"name"`
	Attempts int    `json:"attempts"`
	Stopped  int    `json:"stopped"`
	Escaped  int    `json:"escaped"`
	Allowed  int    `json:"allowed"`
	Skipped  int    `json:"skipped"`
}

// Report is one drill. Its numbers are those of all scenes.
type Report struct {
	Version  int           `json:"version"`
	Name     string        `json:"name"`
	Scenes   []Scene       `json:"scenes"`
	Attempts int           `json:"attempts"`
	Stopped  int           `json:"stopped"`
	Escaped  int           `json:"escaped"`
	Allowed  int           `json:"allowed"` // in the start; not among the attempts
	Skipped  int           `json:"skipped"`
	Time     time.Time     `json:"time"`
	Took     time.Duration `json:"took"` // nanoseconds
	Rows     []Row         `json:"rows"`
	Notes    []string      `json:"notes,omitempty"`
}

// Add appends a row, and counts it.
func (r *Report) Add(row Row) {
	r.Rows = append(r.Rows, row)
	if n := len(r.Scenes); n == 0 || r.Scenes[n-1].Name != row.Scene {
		r.Scenes = append(r.Scenes, Scene{Name: row.Scene})
	}
	s := &r.Scenes[len(r.Scenes)-1]
	switch row.Verdict {
	case Stopped:
		r.Stopped++
		s.Stopped++
	case Escaped:
		r.Escaped++
		s.Escaped++
	case Allowed:
		r.Allowed++
		s.Allowed++
		return
	case Skipped:
		r.Skipped++
		s.Skipped++
		return
	}
	r.Attempts++
	s.Attempts++
}

// Escapes lists the rows that got out.
func (r Report) Escapes() []Row {
	var rows []Row
	for _, row := range r.Rows {
		if row.Verdict == Escaped {
			rows = append(rows, row)
		}
	}
	return rows
}

// colours of verdicts on a terminal.
var colours = map[Verdict]string{Stopped: "\x1b[32m", Escaped: "\x1b[31m", Skipped: "\x1b[33m", Allowed: "\x1b[33m"}

// WriteText writes the report for people, one line an attempt.
func (r Report) WriteText(w io.Writer, colour bool) error {
	wide := 0
	for _, row := range r.Rows {
		wide = max(wide, len(row.ID))
	}
	scene, group := SceneHypervisor, ""
	for _, row := range r.Rows {
		if row.Scene != scene {
			scene = row.Scene
			fmt.Fprintf(w, "\nin the %s's place\n", scene)
			group = ""
		}
		if row.Group != group {
			if group != "" {
				fmt.Fprintln(w)
			}
			group = row.Group
			fmt.Fprintln(w, group)
		}
		verdict := string(row.Verdict)
		if colour {
			verdict = colours[row.Verdict] + verdict + "\x1b[0m"
		}
		when := ""
		if row.Phase == PhaseStart {
			when = ", before the guest is prepared"
		}
		fmt.Fprintf(w, "  %s  %-*s  %s%s: %s\n", verdict, wide, row.ID, row.Tries, when, row.How)
	}
	if len(r.Notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	if len(r.Scenes) > 1 {
		fmt.Fprintln(w)
		for _, s := range r.Scenes {
			fmt.Fprintf(w, "%s: %d attempts, %d stopped, %d escaped, %d skipped\n", s.Name, s.Attempts, s.Stopped, s.Escaped, s.Skipped)
		}
	}
	_, err := fmt.Fprintf(w, "\n%d attempts, %d stopped, %d escaped, %d skipped, %d allowed in the start, in %s\n",
		r.Attempts, r.Stopped, r.Escaped, r.Skipped, r.Allowed, r.Took.Round(10*time.Millisecond))
	return err
}

// The phases.
const (
	PhaseRun   = "run"   // the guest's life
	PhaseStart = "start" // before the guest is prepared
)
