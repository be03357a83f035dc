package linuxjail

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"skep/internal/layer"
)

// A Program is the jail as a list of system calls. The keeper writes it, a child that runs nothing
// but it makes the calls.
type Program struct {
	Steps []Step
}

// A Step is one call. It has to succeed, unless it says what else it wants.
type Step struct {
	Layer layer.ID // the layer this row is a part of; empty for one that serves them all
	Name  string   // unique in a program, so that later rows can refer to the result
	Why   string
	Call  call
	Args  []Arg

	result result
	want   uintptr
	hint   string // what `want` reads as, if it is not a plain number
}

type result uint8

const (
	anyResult   result = iota // success, whatever the value
	exactResult               // success, and just this value
	errnoResult               // failure, and just this errno: the row is a proof
	totalResult               // repeat, the last argument counting down, until all is done
)

// call pairs a name with its number; the numbers come from x/sys per architecture.
type call struct {
	name   string
	number uintptr
}

// An Arg is a constant, a pointer to memory that was filled in beforehand, or an earlier result.
type Arg struct {
	text   string
	quoted bool // text is a C string
	value  uintptr
	ptr    unsafe.Pointer
	from   string // the step whose result it is
}

// named is a constant as the manual writes it, number a plain one.
func named(text string, value uintptr) Arg { return Arg{text: text, value: value} }
func number(n int) Arg                     { return Arg{text: strconv.Itoa(n), value: uintptr(n)} }
func octal(n uintptr) Arg                  { return Arg{text: fmt.Sprintf("%#o", n), value: n} }

// null is a nil pointer, from the result of an earlier step.
func null() Arg            { return Arg{text: "NULL"} }
func from(step string) Arg { return Arg{text: step, from: step} }

// str points to a C string.
func str(s string) Arg {
	b := append([]byte(s), 0)
	return Arg{text: s, quoted: true, ptr: unsafe.Pointer(&b[0])}
}

// mem points to v, which must be on the heap: the program keeps it there.
func mem[T any](text string, v *T) Arg { return Arg{text: text, ptr: unsafe.Pointer(v)} }

// descriptor is one of the keeper's, shown by its role: its number differs from run to run.
func descriptor(role string, fd int) Arg { return Arg{text: role, value: uintptr(fd)} }

// bit and flags spell or'ed constants.
type bit struct {
	name  string
	value uintptr
}

func flags(fs ...bit) Arg {
	var a Arg
	for i, f := range fs {
		if i > 0 {
			a.text += "|"
		}
		a.text += f.name
		a.value |= f.value
	}
	return a
}

// step is the ordinary row.
func step(l layer.ID, name string, c call, why string, args ...Arg) Step {
	return Step{Layer: l, Name: name, Why: why, Call: c, Args: args}
}

// returning makes the row want just this result.
func (s Step) returning(n int, hint string) Step {
	s.result, s.want, s.hint = exactResult, uintptr(n), hint
	return s
}

// failing makes the row a proof: the call must fail, and so.
func (s Step) failing(e syscall.Errno) Step {
	s.result, s.want, s.hint = errnoResult, uintptr(e), unix.ErrnoName(e)
	return s
}

// inFull makes the row repeat until its last argument, a count, is used up.
func (s Step) inFull() Step {
	s.result = totalResult
	return s
}

// String is the call as strace(1) would print it.
func (s Step) String() string {
	args := make([]string, len(s.Args))
	for i, a := range s.Args {
		args[i] = a.text
		if a.quoted {
			args[i] = strconv.Quote(a.text)
		}
	}
	line := s.Call.name + "(" + strings.Join(args, ", ") + ")"
	switch s.result {
	case exactResult:
		if s.hint != "" {
			return line + " = " + s.hint
		}
		return line + " = " + strconv.FormatUint(uint64(s.want), 10)
	case errnoResult:
		return line + " = -" + s.hint
	}
	return line
}

// String is the whole program, a row a line: name, call, why.
func (p *Program) String() string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%-24s %-100s # %s\n", s.Name, s.String(), s.Why)
	}
	return b.String()
}

// add appends the rows of layers that are applied.
func (p *Program) add(on func(layer.ID) bool, steps ...Step) {
	for _, s := range steps {
		if s.Layer == "" || on(s.Layer) {
			p.Steps = append(p.Steps, s)
		}
	}
}
