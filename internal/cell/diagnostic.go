package cell

import (
	"cmp"
	"slices"
	"strconv"
)

// Diagnostic is one mistake in a cell file.
type Diagnostic struct {
	Pos     Pos    `json:"pos"`
	End     Pos    `json:"end"`            // just behind the last character, or the zero Pos
	Summary string `json:"summary"`        // "cannot …"
	Hint    string `json:"hint,omitempty"` // what to do about it
}

// Error is the mistake in one line. What came from the file was made safe to
// print when the Diagnostic was made.
func (d Diagnostic) Error() string {
	if d.Pos == (Pos{}) {
		return d.Summary
	}
	return Printable(d.Pos.String()) + ": " + d.Summary
}

// Diagnostics are the mistakes of a cell file in the order of their places.
// None means that the file is good.
type Diagnostics []Diagnostic

// Err is nil for a good file.
func (ds Diagnostics) Err() error {
	if len(ds) == 0 {
		return nil
	}
	return ds
}

// Error is the first mistake and the number of the others; Render shows all.
func (ds Diagnostics) Error() string {
	switch len(ds) {
	case 0:
		return "no mistakes"
	case 1:
		return ds[0].Error()
	case 2:
		return ds[0].Error() + " (and one more mistake)"
	}
	return ds[0].Error() + " (and " + strconv.Itoa(len(ds)-1) + " more mistakes)"
}

// Unwrap makes each Diagnostic reachable to errors.As.
func (ds Diagnostics) Unwrap() []error {
	errs := make([]error, len(ds))
	for i, d := range ds {
		errs[i] = d
	}
	return errs
}

// sorted puts the mistakes in the order of the file and drops repetitions: two
// rules may find the same fault in the same place.
func (ds Diagnostics) sorted() Diagnostics {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column),
			cmp.Compare(a.Summary, b.Summary),
		)
	})
	return slices.CompactFunc(ds, func(a, b Diagnostic) bool {
		return a.Pos == b.Pos && a.Summary == b.Summary
	})
}

// String is "file:line:column", as editors and compilers write it.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}
