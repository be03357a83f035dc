// Package fault is the one kind of error that reaches a person: what could not
// be done, what to do about it, and the exit status that says whose fault it
// was.
//
// The table of exit statuses is an interface: it is in the man page, in `skep
// help exit-codes` and in the tests.
package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Code is an exit status of skep.
type Code int

// The exit statuses.
const (
	OK             Code = 0
	Host           Code = 1
	Input          Code = 2
	GuestDied      Code = 3
	HypervisorDied Code = 4
	Jail           Code = 5
	Stopped        Code = 6
	TimeLimit      Code = 7
	Busy           Code = 75 // EX_TEMPFAIL of sysexits(3)
)

// Codes is the table of exit statuses in order.
var Codes = []struct {
	Code    Code
	Name    string
	Meaning string
}{
	{OK, "ok", "the command did what was asked; for run: the guest powered off"},
	{Host, "host", "the host failed or lacks something"},
	{Input, "input", "the command line or the cell file names something wrongly: a disk, a bridge, a port, an address"},
	{GuestDied, "guest-died", "the guest died: a triple fault or a panic"},
	{HypervisorDied, "hypervisor-died", "the hypervisor died"},
	{Jail, "jail", "the jail could not be built or verified"},
	{Stopped, "stopped", "the guest was stopped by an operator"},
	{TimeLimit, "time-limit", "the guest was stopped because its time_limit was over"},
	{Busy, "busy", "not now, later perhaps: the cell that was to run runs already, or the host is short of slots, memory, processes or files"},
}

// Error is an error for a person: what could not be done, to what, and why.
type Error struct {
	Code Code
	// Op is what could not be done, as the rest of a sentence that begins with "cannot": "start". Without
	// one, Reason is a sentence of its own: "2 of 5 cells failed".
	Op      string
	Subject string // what Op was done to, as a person names it; may be empty
	Reason  string // may be empty
	Hint    string // what to do; may be empty
	Err     error  // the cause, which continues Reason; may be nil

	said string // the text of an error that came from another process
}

func (e *Error) Error() string {
	switch {
	case e.said != "":
		return e.said
	case e.Op == "":
		return joined(e.Reason, clause(e.Err))
	}
	return "cannot " + joined(e.what(), e.Reason, clause(e.Err))
}

func (e *Error) Unwrap() error { return e.Err }

// what is the operation with its subject.
func (e *Error) what() string {
	if e.Subject == "" {
		return e.Op
	}
	return e.Op + " " + e.Subject
}

// joined puts a colon between the texts that are there.
func joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), ": ")
}

// clause is an error as part of another's sentence, where "cannot" was said already.
func clause(err error) string {
	switch e := err.(type) {
	case nil:
		return ""
	case *Error:
		if e.said == "" && e.Op != "" {
			return joined(e.what(), e.Reason, clause(e.Err))
		}
	case *At:
		return clause(e.Err) + e.suffix()
	}
	return err.Error()
}

// New makes an Error of an operation that says all in one: "open disk /x".
func New(code Code, hint, format string, args ...any) *Error {
	return &Error{Code: code, Hint: hint, Op: fmt.Sprintf(format, args...)}
}

// Cannot makes an Error of an operation, what it was done to, and the reason.
func Cannot(code Code, hint, op, subject, reason string, args ...any) *Error {
	return &Error{Code: code, Hint: hint, Op: op, Subject: subject, Reason: fmt.Sprintf(reason, args...)}
}

// Fail makes an Error that states a failure or a rule in a sentence of its own.
func Fail(code Code, hint, format string, args ...any) *Error {
	return &Error{Code: code, Hint: hint, Reason: fmt.Sprintf(format, args...)}
}

// Wrap makes an Error with a cause. A cause that already is an Error keeps its
// own code and, where none is given here, its hint.
func Wrap(code Code, err error, hint, format string, args ...any) *Error {
	e := &Error{Code: code, Hint: hint, Op: fmt.Sprintf(format, args...), Err: err}
	if code == Host && lacksForNow(err) {
		e.Code = Busy
	}
	var inner *Error
	if errors.As(err, &inner) {
		e.Code = inner.Code
		if hint == "" {
			e.Hint = inner.Hint
		}
	}
	return e
}

// ReasonOf is why, without what was to be done and to what.
func ReasonOf(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return clause(err)
	}
	if why := joined(e.Reason, clause(e.Err)); why != "" {
		return why
	}
	return e.Error()
}

// CodeOf is the exit status that an error stands for: Host where the error
// does not say.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Host
}

// HintOf is the hint of an error, or "".
func HintOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}
