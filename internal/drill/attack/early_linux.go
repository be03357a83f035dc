package attack

import (
	"golang.org/x/sys/unix"
)

// HeadStarts are attempts of an intruder who took the hypervisor over in its start, by an image that it
// read: he takes along what he can get then, and tries to use it once the start is over.
func HeadStarts() []Attempt {
	return inGroups([]group{{"taken along from the start", headStartAttempts}})
}

var headStartAttempts = []Attempt{
	{ID: "kept-root", Tries: "open a file of the host below the root that it opened in the start",
		By: "private-root empty-room two-phases", Want: "EPERM", Before: keep(unix.SYS_OPENAT, atCWD, "/", unix.O_PATH|unix.O_DIRECTORY, 0),
		Do: try(unix.SYS_OPENAT, kept, "etc/passwd", unix.O_RDONLY, 0).opening()},
	{ID: "kept-root-climb", Tries: "climb out of that root with ..",
		By: "private-root two-phases", Want: "EPERM", Before: keep(unix.SYS_OPENAT, atCWD, "/", unix.O_PATH|unix.O_DIRECTORY, 0),
		Do: try(unix.SYS_OPENAT, kept, "../../../etc/passwd", unix.O_RDONLY, 0).opening()},
	{ID: "kept-program", Tries: "execute the program that it opened in the start",
		By: "one-exec", Want: "EPERM", Single: "it is the one program there; executing it again gives nothing that is not there already", Fresh: true,
		Before: keep(unix.SYS_OPENAT, atCWD, late(func(s *Fixture) any { return string(s.Spec.Path) }), unix.O_RDONLY, 0),
		Do: code(func(s *Fixture) Outcome {
			return attempt{}.judge(s.call(unix.SYS_EXECVEAT, s.kept, "", s.arguments(), 0, unix.AT_EMPTY_PATH))
		})},
	{ID: "kept-memfd", Tries: "map a file in memory, made in the start, as a program",
		By: "two-phases", Want: "EPERM", Single: singlePhase, Before: keep(unix.SYS_MEMFD_CREATE, "drill", 0),
		Do: try(unix.SYS_MMAP, 0, 4096, rx, unix.MAP_SHARED, kept, 0)},
	{ID: "kept-watch", Tries: "watch a directory with a watch that it made in the start",
		By: "private-root two-phases", Want: "EPERM", Before: keep(unix.SYS_INOTIFY_INIT1, 0),
		Do: try(unix.SYS_INOTIFY_ADD_WATCH, kept, baitDir, unix.IN_OPEN)},
	{ID: "kept-timer", Tries: "have a timer of the start signal it",
		By: "two-phases", Want: "EPERM", Single: singlePhase, Before: keep(unix.SYS_TIMERFD_CREATE, 1, 0),
		Do: try(unix.SYS_TIMERFD_SETTIME, kept, 0, words(0, 0, 1, 0), 0)},
}

// kept is what was taken along.
var kept = late(func(s *Fixture) any { return s.kept })

// keep takes the result of a call along.
func keep(number uint64, args ...any) func(*Fixture) {
	return func(s *Fixture) {
		for i, arg := range args {
			if f, ok := arg.(late); ok {
				args[i] = f(s)
			}
		}
		if r := s.call(number, args...); r.errno == 0 && !r.gone {
			s.kept = r.value
		} else {
			s.kept = none // the attempt is stopped then, and says by what
		}
	}
}
