package fault

import (
	"errors"
	"fmt"
)

// At is an error together with the place in a cell file that it is about, as
// file:line:column.
type At struct {
	Err   error
	Place string
}

func (a *At) Error() string { return a.Err.Error() + a.suffix() }

func (a *At) suffix() string { return " (" + a.Place + ")" }

func (a *At) Unwrap() error { return a.Err }

// List is several errors that were found in one pass, the first of them first:
// its exit status is the list's.
type List []error

// Join is nil for no errors, the error itself for one, and else a List.
func Join(errs ...error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return List(errs)
}

// Error is the first and the number of the others, for where there is one line.
func (l List) Error() string {
	return fmt.Sprintf("%s (and %d more)", l[0], len(l)-1)
}

func (l List) Unwrap() []error { return l }

// First is the text of an error with the first of its list in the list's place:
// where each of the others gets a line of its own.
func First(err error) string {
	switch e := err.(type) {
	case List:
		return e[0].Error()
	case *At:
		return First(e.Err) + e.suffix()
	case *Error:
		if l := ListOf(e.Err); l != nil {
			alone := *e
			alone.Err = l[0]
			return alone.Error()
		}
	}
	return err.Error()
}

// ListOf are the errors of the List that an error is or wraps, or nil.
func ListOf(err error) List {
	var l List
	if errors.As(err, &l) {
		return l
	}
	return nil
}
