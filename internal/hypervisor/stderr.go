package hypervisor

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"
)

// TripleFaultMark is the line by which QEMU's `-d cpu_reset` tells a triple
// fault from other resets, under TCG. No guest can write it: all that a guest
// gets into that log is hexadecimal numbers.
const TripleFaultMark = "Triple fault"

// Bounds on what is kept of standard error. A guest can have a line logged as
// often as it resets a processor.
const (
	stderrLine  = 512
	stderrLines = 16
)

// Stderr takes in a hypervisor's standard error and keeps the little of it
// that matters: whether there was a triple fault, and the last lines that are
// not register dumps. It may be written and asked from different goroutines.
type Stderr struct {
	mu      sync.Mutex
	partial []byte
	skip    bool // the rest of an overlong line
	lines   []string
	triple  bool
}

// Write never fails and never blocks.
func (s *Stderr) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		chunk, rest, ended := bytes.Cut(p, []byte("\n"))
		if !s.skip {
			room := stderrLine - len(s.partial)
			s.skip = len(chunk) > room
			s.partial = append(s.partial, chunk[:min(len(chunk), room)]...)
		}
		if ended {
			s.line(string(s.partial))
			s.partial, s.skip = s.partial[:0], false
		}
		p = rest
	}
	return n, nil
}

func (s *Stderr) line(line string) {
	switch {
	case strings.TrimSpace(line) == TripleFaultMark:
		s.triple = true
	case line == "", strings.HasPrefix(line, "CPU Reset"), isRegisterDump(line):
	case isPCIComplaint(line):
	default:
		if len(s.lines) == stderrLines {
			s.lines = s.lines[1:]
		}
		s.lines = append(s.lines, Clean(line))
	}
}

// isPCIComplaint: a bhyve without /dev/pci says so some sixty times and goes on.
func isPCIComplaint(line string) bool {
	return strings.HasSuffix(line, "failed to open /dev/pci: No such file or directory") ||
		strings.HasSuffix(line, "Unable to find host selector of LPC bridge.")
}

// isRegisterDump: "EAX=00000000 …", "CS =0000 …", "XMM00=…".
func isRegisterDump(line string) bool {
	name, _, ok := strings.Cut(line, "=")
	name = strings.TrimRight(name, " ")
	if !ok || len(name) < 2 || len(name) > 5 {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) < 0
}

// TripleFault says whether a triple fault was logged since the last Clear.
func (s *Stderr) TripleFault() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.triple
}

// Clear forgets a triple fault: the guest was reset and runs anew.
func (s *Stderr) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.triple = false
}

// LastWords are the last lines, oldest first.
func (s *Stderr) LastWords() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	words := strings.Join(s.lines, "; ")
	if len(s.partial) > 0 && !isRegisterDump(string(s.partial)) {
		words = strings.TrimPrefix(words+"; "+Clean(string(s.partial)), "; ")
	}
	return words
}

// LastOf cuts a text from the front: what ended a hypervisor is what it said
// last, and before that it may have complained of much.
func LastOf(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const mark = "…"
	text = text[len(text)-most+len(mark):]
	for len(text) > 0 && !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	return mark + text
}
