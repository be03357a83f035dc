// Package events is the one stream of what happens to a cell: its starts and ends, resets, failing disks,
// refused calls, viewers, commands, and what its network saw. A keeper writes it into a chained file, in
// which each line holds the SHA-256 of the line before, so that a line that is changed later is found.
package events

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Version is that of an event's form. A field may be added to a version, none is taken away.
const Version = 1

// Kind is what an event is about.
type Kind string

// The kinds.
const (
	Begin   Kind = "begin"   // a run of the cell: nothing is acquired yet, no instruction executed
	Adopted Kind = "adopted" // another keeper goes on with it
	State   Kind = "state"   // the cell's state, and why
	Reset   Kind = "reset"   // the guest has reset itself
	Disk    Kind = "disk"    // the host could not read or write a disk
	Refused Kind = "refused" // system calls that the hypervisor asked for and did not get
	Viewer  Kind = "viewer"  // somebody looks at the screen
	Command Kind = "command" // somebody asked the keeper for something
	Note    Kind = "note"    // what a person was told
	File    Kind = "file"    // a file was made of the cell: a dump, a picture
	Audit   Kind = "audit"   // an audit passed or failed
	Network Kind = "network" // what the network in user space saw; not in the chain
	End     Kind = "end"     // of the run, with the exit status
	Torn    Kind = "torn"    // the line before is not whole: its keeper died
	Cut     Kind = "cut"     // older lines are not kept
)

// Event is one thing that has happened.
type Event struct {
	Version int       `json:"version"`
	Seq     uint64    `json:"seq,omitempty"` // of the cell; 0 for what is not in the chain
	Time    time.Time `json:"time"`
	Cell    string    `json:"cell"`
	Run     string    `json:"run,omitempty"` // which of the cell's runs
	Kind    Kind      `json:"kind"`
	State   string    `json:"state,omitempty"`
	Reason  string    `json:"reason,omitempty"` // one line for a person
	Who     string    `json:"who,omitempty"`    // of a command: "skep down"
	Status  *int      `json:"status,omitempty"` // of an end: the exit status
	PID     int       `json:"pid,omitempty"`    // the hypervisor's
	// Calls are refused calls, by name, since the last event of that kind.
	Calls map[string]uint64 `json:"calls,omitempty"`
	// File and SHA256 are of a file that was made, or that an event is about.
	File   string `json:"file,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Missed is how many events a program of on_event was not told of before this one.
	Missed uint64 `json:"missed,omitempty"`
	// Network is what the record of the network has, as it has it.
	Network json.RawMessage `json:"network,omitempty"`
	// Prev is the SHA-256 of the line before, in hexadecimal; "" in the first of all.
	Prev string `json:"prev,omitempty"`
}

// Bounds of one event.
const (
	maxText = 1024
	maxLine = 16 << 10
)

// String is the event as a line for a person. What a guest chose of it may need to be escaped.
func (e Event) String() string {
	var words []string
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	switch e.Kind {
	case State:
		add("%s", e.State)
	case Network:
		return "network " + networkText(e.Network)
	default:
		add("%s", e.Kind)
	}
	if e.Who != "" {
		add("by %s", e.Who)
	}
	if e.Status != nil {
		add("with status %d", *e.Status)
	}
	for _, c := range slices.Sorted(maps.Keys(e.Calls)) {
		add("%s %d times", c, e.Calls[c])
	}
	if e.File != "" {
		add("%s", e.File)
	}
	if e.Reason != "" {
		words[len(words)-1] += ":"
		add("%s", e.Reason)
	}
	if e.Missed > 0 {
		add("(%d events were missed)", e.Missed)
	}
	return strings.Join(words, " ")
}

// networkText is a line of the network's record as words: its kind, and what there is of the rest.
func networkText(raw json.RawMessage) string {
	var n struct {
		NIC, Kind, Src, Dst, Name, SNI, Type, Answer, Method, Host, Path, From, Why string
		Bytes                                                                       int64
		Count                                                                       uint64
	}
	if json.Unmarshal(raw, &n) != nil {
		return "?"
	}
	words := []string{n.NIC, n.Kind}
	add := func(before, what string) {
		if what != "" {
			words = append(words, before+what)
		}
	}
	add("", n.Type)
	add("", n.Method)
	add("", n.Host+n.Path)
	add("", n.Name)
	add("sni ", n.SNI)
	add("from ", n.From)
	add("", n.Src)
	add("to ", n.Dst)
	add("answered ", n.Answer)
	if n.Bytes > 0 {
		add("", fmt.Sprintf("%d bytes", n.Bytes))
	}
	if n.Count > 1 {
		add("", fmt.Sprintf("%d times", n.Count))
	}
	add("", n.Why)
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}

// WithMissed is the line of an event with how many before it were missed.
func WithMissed(line []byte, n uint64) []byte {
	var e Event
	if json.Unmarshal(line, &e) != nil {
		return line
	}
	e.Missed = n
	if with, err := json.Marshal(e); err == nil {
		return with
	}
	return line
}

// clip bounds a text.
func clip(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}
