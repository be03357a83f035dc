package cell

import (
	"fmt"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
)

// reader collects what one pass over a cell file finds: mistakes, and the
// place of everything that was said.
type reader struct {
	file   string
	src    []byte
	layers []string
	found  Diagnostics
	places map[string]hcl.Range
	// partial is set when lines of the file could not be read. What is missing
	// may then be there.
	partial bool
}

// mistake is why a value cannot be used, and what to do about it.
type mistake struct {
	why    string
	hint   string
	mustBe bool // why is what it must be: "a number"
}

// wrong is a mistake without a hint.
func wrong(format string, args ...any) *mistake {
	return &mistake{why: fmt.Sprintf(format, args...)}
}

// mustBe is a value of the wrong kind: "cpus must be a number, got …".
func mustBe(what string) *mistake {
	return &mistake{why: what, mustBe: true}
}

// but adds the hint.
func (m *mistake) but(format string, args ...any) *mistake {
	m.hint = fmt.Sprintf(format, args...)
	return m
}

// report notes that what stands at rng cannot be used. what names it.
func (r *reader) report(rng hcl.Range, what string, m *mistake) {
	r.add(rng, "invalid "+what+": "+m.why, m.hint)
}

func (r *reader) add(rng hcl.Range, summary, hint string) {
	r.found = append(r.found, Diagnostic{
		Pos:     r.pos(rng.Start),
		End:     r.pos(rng.End),
		Summary: Printable(summary),
		Hint:    Printable(hint),
	})
}

// value reports a mistake in the value of an attribute, quoting the value as
// the file has it.
func (r *reader) value(rng hcl.Range, name string, m *mistake) {
	if m.mustBe {
		r.add(rng, name+" must be "+m.why+", got "+r.text(rng), m.hint)
		return
	}
	r.report(rng, name+" "+r.text(rng), m)
}

// at reports a mistake in what was read from path, which needs not be the
// place where it was found out. Without such a place the block that path is in
// has to do.
func (r *reader) at(path, what string, m *mistake) {
	r.report(r.places[path], what, m)
}

// said tells whether the file has the attribute or block at path, be its value
// good or bad. Rules about what belongs together ask this and not the value, so
// that one bad value does not count as a missing one too.
func (r *reader) said(path string) bool {
	_, ok := r.places[path]
	return ok
}

// text is the file's own text for a value, short enough for a message.
func (r *reader) text(rng hcl.Range) string {
	return shorten(string(rng.SliceBytes(r.src)), 40)
}

func (r *reader) pos(p hcl.Pos) Pos {
	return Pos{File: r.file, Line: p.Line, Column: p.Column}
}

// abs makes a path of the file absolute, or rather relative to nothing but
// what the name of the cell file is relative to.
func (r *reader) abs(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(filepath.Dir(r.file), path)
}

// sources are the places under the names that Cell.Sources documents.
func (r *reader) sources() map[string]Pos {
	m := make(map[string]Pos, len(r.places))
	for path, rng := range r.places {
		m[path] = r.pos(rng.Start)
	}
	return m
}
