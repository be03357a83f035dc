// Package audit proves from outside that a live cell holds what its plan says
// and nothing else.
//
// It is made of two parts: an observation reads a live process once
// (observe_linux.go, observe_freebsd.go), and judging compares it with what the
// plan promises, row by row. A thing that is missing is a failure, and so is one
// that is present and on no list. Judging touches no machine (linux_*.go,
// freebsd_*.go, and rows.go for what is the same on both), so each tampering is
// tested on any.
//
// The eight protections that the conclusion of "Jailing the bhyve hypervisor"
// (2018) lists stand first, in its order. What nobody outside of a process can
// read (Landlock's rules, MDWE, the keyring) is not called seen: the launcher
// has read it back before exec, and the row says recorded.
package audit

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"skep/internal/cell"
)

// Version is the version of the JSON form of a Report.
const Version = 1

// Verdict is what one row comes to.
type Verdict string

// The verdicts. A report is good when it has none of the last three.
const (
	Seen     Verdict = "seen"     // read from the live process, as wanted
	Recorded Verdict = "recorded" // read back by the launcher before exec
	Missing  Verdict = "missing"  // wanted, and not so
	Extra    Verdict = "extra"    // there, and on no list
	Unknown  Verdict = "unknown"  // cannot be determined
)

// Bad says whether a verdict fails the audit.
func (v Verdict) Bad() bool { return v == Missing || v == Extra || v == Unknown }

// Row is one thing that was looked at.
type Row struct {
	ID      string  `json:"id"`
	Want    string  `json:"want"`
	Seen    string  `json:"seen"`
	Verdict Verdict `json:"verdict"`
	// Group is the heading it stands under.
	Group string `json:"group"`
}

// Relaxation is something that the cell file asked for and that widens the
// jail.
type Relaxation struct {
	Path string `json:"path"`
	What string `json:"what"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// Report is an audit of one process.
type Report struct {
	Version     int          `json:"version"`
	OK          bool         `json:"ok"`
	Name        string       `json:"name,omitempty"`
	PID         int          `json:"pid"`
	Time        time.Time    `json:"time"`
	Rows        []Row        `json:"rows"`
	Relaxations []Relaxation `json:"loosenings,omitempty"`
	// State is set where the guest is paused, and Reason says why.
	State  string `json:"state,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// The headings, in order.
const (
	GroupEight    = "the eight protections"
	GroupIdentity = "identity"
	GroupRights   = "rights"
	GroupPlace    = "the rootfs"
	GroupHandles  = "handles"
	GroupNetwork  = "network cards"
	GroupLimits   = "limits"
	GroupMemory   = "memory"
	GroupProgram  = "the program"
	GroupWorker   = "the worker"
	GroupServices = "networks, captures and the TPM in jails of their own"
)

// groups is their order in a report.
var groups = []string{GroupEight, GroupIdentity, GroupRights, GroupPlace, GroupHandles, GroupNetwork, GroupLimits, GroupMemory, GroupProgram, GroupWorker,
	GroupServices}

// judge collects rows.
type judge struct{ rows []Row }

func (j *judge) add(group, id string, v Verdict, want, seen string) {
	j.rows = append(j.rows, Row{ID: id, Group: group, Want: want, Seen: seen, Verdict: v})
}

// equal is a row that must be just so. A seen of "" could not be read.
func (j *judge) equal(group, id, want, seen string) {
	switch {
	case seen == "":
		j.add(group, id, Unknown, want, "cannot be read")
	case seen != want:
		j.add(group, id, Missing, want, seen)
	default:
		j.add(group, id, Seen, want, seen)
	}
}

// none is a row for a list that must be empty: whatever is on it is extra.
func (j *judge) none(group, id, want string, extra []string) {
	if len(extra) == 0 {
		j.add(group, id, Seen, want, want)
		return
	}
	j.add(group, id, Extra, want, summary(extra))
}

// info is a row that nobody promised: what is seen is said, and is no failure.
func (j *judge) info(group, id, seen string) {
	if seen == "" {
		seen = "cannot be determined"
	}
	j.add(group, id, Seen, "as it was built", seen)
}

// count is a row for how many of a thing are accessible.
func (j *judge) count(id string, want int, got []string) {
	w := strconv.Itoa(want)
	switch {
	case len(got) > want:
		j.add(GroupPlace, id, Extra, w, fmt.Sprintf("%d: %s", len(got), summary(got)))
	case len(got) < want:
		j.add(GroupPlace, id, Missing, w, strconv.Itoa(len(got)))
	default:
		j.add(GroupPlace, id, Seen, w, w)
	}
}

// yes is a row that must be so, where it can be told at all.
func (j *judge) yes(group, id, want string, so, known bool, seen string) {
	switch {
	case !known:
		j.add(group, id, Unknown, want, orWords(seen, "cannot be read"))
	case so:
		j.add(group, id, Seen, want, orWords(seen, want))
	default:
		j.add(group, id, Missing, want, seen)
	}
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// orNot is some words, unless something is so.
func orNot(so bool, not string) string {
	if so {
		return ""
	}
	return not
}

func orWords(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// summary names the first few of a list.
func summary(list []string) string {
	const most = 6
	if len(list) > most {
		return fmt.Sprintf("%s, and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

// report orders the rows and settles the verdict of the whole.
func (j *judge) report(name string, pid int) Report {
	r := Report{Version: Version, OK: true, Name: name, PID: pid, Time: time.Now().UTC()}
	for _, g := range groups {
		for _, row := range j.rows {
			if row.Group == g {
				r.Rows = append(r.Rows, row)
				r.OK = r.OK && !row.Verdict.Bad()
			}
		}
	}
	return r
}

// relaxed adds what the cell file asked for.
func (r Report) relaxed(all []cell.Relaxation) Report {
	for _, l := range all {
		r.Relaxations = append(r.Relaxations, Relaxation{Path: l.Path, What: l.What, File: l.Pos.File, Line: l.Pos.Line})
	}
	return r
}

// Bad lists the rows that fail.
func (r Report) Bad() []Row {
	var bad []Row
	for _, row := range r.Rows {
		if row.Verdict.Bad() {
			bad = append(bad, row)
		}
	}
	return bad
}

// colours of verdicts on a terminal.
var colours = map[Verdict]string{Seen: "\x1b[32m", Recorded: "\x1b[36m", Missing: "\x1b[31m", Extra: "\x1b[31m", Unknown: "\x1b[33m"}

// WriteText writes the report for people: one line a row. clean makes text
// that came from elsewhere safe for a terminal.
func (r Report) WriteText(w io.Writer, colour bool, clean func(string) string) error {
	wide := 0
	for _, row := range r.Rows {
		wide = max(wide, len(row.ID))
	}
	group := ""
	for _, row := range r.Rows {
		if row.Group != group {
			if group != "" {
				fmt.Fprintln(w)
			}
			group = row.Group
			fmt.Fprintf(w, "%s\n", group)
		}
		verdict := fmt.Sprintf("%-8s", row.Verdict)
		if colour {
			verdict = colours[row.Verdict] + verdict + "\x1b[0m"
		}
		line := fmt.Sprintf("  %s  %-*s  %s", verdict, wide, row.ID, clean(row.Seen))
		if row.Verdict.Bad() {
			line += clean(" (wanted: " + row.Want + ")")
		}
		fmt.Fprintln(w, line)
	}
	if len(r.Relaxations) > 0 {
		fmt.Fprintf(w, "\nrelaxations, as the cell file asks\n")
		for _, l := range r.Relaxations {
			where := l.File
			if l.Line > 0 {
				where = fmt.Sprintf("%s:%d", l.File, l.Line)
			}
			fmt.Fprintf(w, "  %s  %s: %s\n", clean(where), clean(l.Path), clean(l.What))
		}
	}
	if r.State != "" {
		fmt.Fprintf(w, "\nthe guest is %s: %s\n", r.State, clean(r.Reason))
	}
	count := map[Verdict]int{}
	for _, row := range r.Rows {
		count[row.Verdict]++
	}
	_, err := fmt.Fprintf(w, "\n%d seen, %d recorded, %d missing, %d extra, %d unknown\n",
		count[Seen], count[Recorded], count[Missing], count[Extra], count[Unknown])
	return err
}
