//go:build linux || freebsd

package attack

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// attempt is one call that must not succeed.
type attempt struct {
	how    how
	number uint64
	args   []any
	past   []unix.Errno
	opens  bool
}

// late is an argument that is known only once there is a fixture.
type late func(*Fixture) any

// try is a call that has escaped if it succeeds.
func try(number uint64, args ...any) attempt { return attempt{number: number, args: args} }

// via makes the call in another way.
func (a attempt) via(h how) attempt { a.how = h; return a }

// past are errors that come only from behind the gate that is tried: they count as an escape. So a
// call whose success would do harm is made with arguments that nobody can fulfil.
func (a attempt) pastGate(errnos ...unix.Errno) attempt { a.past = errnos; return a }

// opening: what it gives is a descriptor, to be closed again.
func (a attempt) opening() attempt { a.opens = true; return a }

func (a attempt) do(s *Fixture) Outcome {
	args := make([]any, len(a.args))
	for i, arg := range a.args {
		if f, ok := arg.(late); ok {
			arg = f(s)
		}
		args[i] = arg
	}
	r := s.via(a.how, a.number, args...)
	if r.errno == 0 && !r.gone && !r.reborn && a.opens {
		s.call(unix.SYS_CLOSE, r.value)
	}
	return a.judge(r)
}

func (a attempt) judge(r result) Outcome {
	switch {
	case r.reborn:
		return escaped("another program runs")
	case r.gone:
		return stopped(killed)
	case r.errno == 0:
		return escaped(fmt.Sprintf("it succeeded, with %d", r.value))
	case slices.Contains(a.past, r.errno):
		return escaped("it was let through: " + errnoName(r.errno))
	}
	return stopped(errnoName(r.errno))
}

// failed is the outcome of a step without which an attempt cannot go on.
func (r result) failed() (Outcome, bool) {
	if r.gone || r.errno != 0 {
		return attempt{}.judge(r), true
	}
	return Outcome{}, false
}

// open is openat(2) of a path.
func open(path any, flags int) attempt {
	return try(unix.SYS_OPENAT, atCWD, path, flags|unix.O_CLOEXEC, 0o600).opening()
}

// atCWD is AT_FDCWD, none a file that is not open.
const (
	atCWD = ^uint64(99)
	none  = ^uint64(0)
)

// The bait, as late arguments.
var (
	baitFile   = late(func(s *Fixture) any { return s.Bait.File })
	baitDir    = late(func(s *Fixture) any { return s.Bait.Dir })
	baitPublic = late(func(s *Fixture) any { return s.Bait.Public })
	baitNew    = inPublic("new")
	baitPID    = late(func(s *Fixture) any { return s.Bait.PID() })
)

// inPublic is a new name in the directory of the host's that is everybody's: a second attempt in
// another jail does not find the first one's.
func inPublic(name string) late {
	return func(s *Fixture) any { return fmt.Sprintf("%s/%s-%d", s.Bait.Public, name, s.pid()) }
}

// until makes a call until it fails, or succeeds once too often.
func (s *Fixture) until(most int, call func() result) Outcome {
	for range most + 1 {
		r := call()
		if r.gone || r.errno != 0 {
			return attempt{}.judge(r)
		}
	}
	return escaped(fmt.Sprintf("more than %d", most))
}

// well is an attempt after which the host and the neighbour are looked at.
func well(try func(*Fixture) Outcome) code {
	return func(s *Fixture) Outcome {
		o := try(s)
		if s.Neighbour == nil || !o.Stopped {
			return o
		}
		if err := s.Neighbour.Answers(); err != nil {
			return escaped("the neighbour does not answer any more: " + err.Error())
		}
		return o
	}
}

// errnoName is an error by its name in the manual pages; EAGAIN has two on FreeBSD.
func errnoName(e unix.Errno) string {
	if e == unix.EAGAIN {
		return "EAGAIN"
	}
	return unix.ErrnoName(e)
}
