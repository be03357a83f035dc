package linuxjail

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A row is a Step with nothing left to look up.
type row struct {
	number uintptr
	args   [6]uintptr
	from   [6]int32 // the earlier row whose result goes here, or -1
	count  uintptr  // of arguments
	result result
	want   uintptr
}

// A loaded program lies ready for a child that has no runtime: no maps, no slices to grow, no
// pointers that a collector would have to know. `keep` holds what the rows point to.
type loaded struct {
	rows    *row
	count   uintptr
	results *uintptr
	report  *failure
	errors  uintptr // the descriptor for the report
	keep    *Program
}

// failure is what a child writes when a row does not do what it must.
type failure struct {
	Row   uint32
	Errno uint32
}

// load resolves names to indexes. A reference to a step that is not there, as when its layer was
// left out, is a mistake of ours and must not become a call on descriptor 0.
func (p *Program) load(errors int) (*loaded, error) {
	rows := make([]row, len(p.Steps))
	index := make(map[string]int32, len(p.Steps))
	for i, s := range p.Steps {
		if _, twice := index[s.Name]; twice {
			return nil, cannotBuild("two steps are named %s", s.Name)
		}
		r := row{number: s.Call.number, result: s.result, want: s.want, count: uintptr(len(s.Args))}
		for j := range r.from {
			r.from[j] = -1
		}
		for j, a := range s.Args {
			switch {
			case a.from != "":
				at, ok := index[a.from]
				if !ok {
					return nil, cannotBuild("step %s needs the result of %s, which is not there", s.Name, a.from)
				}
				r.from[j] = at
			case a.ptr != nil:
				r.args[j] = uintptr(a.ptr)
			default:
				r.args[j] = a.value
			}
		}
		index[s.Name] = int32(i)
		rows[i] = r
	}
	results := make([]uintptr, len(rows)+1)
	return &loaded{
		rows: unsafe.SliceData(rows), count: uintptr(len(rows)), results: &results[0],
		report: new(failure), errors: uintptr(errors), keep: p,
	}, nil
}

// cloneArgs is struct clone_args of clone3(2).
type cloneArgs struct {
	Flags, PidFD, ChildTID, ParentTID, ExitSignal uint64
	Stack, StackSize, TLS                         uint64
	SetTID, SetTIDSize, Cgroup                    uint64
}

// fork starts a child that executes l and nothing else. All signals are blocked meanwhile: a
// handler of the Go runtime must never run in the child.
func (l *loaded) fork(args *cloneArgs) (pid int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return 0, cannotBuild("block signals: %w", err)
	}
	r, errno := clone(args, unsafe.Sizeof(*args), l)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		return 0, cannotBuild("restore signals: %w", err)
	}
	runtime.KeepAlive(l)
	runtime.KeepAlive(args)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// clone returns in the parent only. In the child it goes on in a copy of this thread alone, in
// which no lock will ever be released and no other thread will ever run: from here on there are
// raw calls and arithmetic, no function that may grow the stack, allocate, schedule or panic.
//
//go:noinline
//go:nosplit
//go:norace
func clone(args *cloneArgs, size uintptr, l *loaded) (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), size, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	for i := uintptr(0); i < l.count; i++ {
		r := (*row)(unsafe.Add(unsafe.Pointer(l.rows), i*unsafe.Sizeof(row{})))
		v, e := run(r, l.results)
		switch r.result {
		case exactResult:
			if e == 0 && v != r.want {
				e = unix.EPROTO
			}
		case errnoResult:
			if e == 0 {
				e = unix.EPROTO
			} else if uintptr(e) == r.want {
				e = 0
			}
		}
		if e != 0 {
			l.report.Row, l.report.Errno = uint32(i), uint32(e)
			syscall.RawSyscall6(unix.SYS_WRITE, l.errors, uintptr(unsafe.Pointer(l.report)), unsafe.Sizeof(failure{}), 0, 0, 0)
			syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 255, 0, 0, 0, 0, 0)
		}
		*(*uintptr)(unsafe.Add(unsafe.Pointer(l.results), i*unsafe.Sizeof(uintptr(0)))) = v
	}
	// A program that ends without an exec has done its work.
	for {
		syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
	}
}

// run makes one row's call, or as many as a totalResult takes.
//
//go:noinline
//go:nosplit
//go:norace
func run(r *row, results *uintptr) (uintptr, syscall.Errno) {
	var a [6]uintptr
	for j := 0; j < 6; j++ {
		a[j] = r.args[j]
		if r.from[j] >= 0 {
			a[j] = *(*uintptr)(unsafe.Add(unsafe.Pointer(results), uintptr(r.from[j])*unsafe.Sizeof(uintptr(0))))
		}
	}
	if r.result != totalResult {
		v, _, e := syscall.RawSyscall6(r.number, a[0], a[1], a[2], a[3], a[4], a[5])
		return v, e
	}
	// The count is the fourth argument of sendfile(2), the one call that repeats.
	for a[3] > 0 {
		v, _, e := syscall.RawSyscall6(r.number, a[0], a[1], a[2], a[3], a[4], a[5])
		if e != 0 {
			return 0, e
		}
		if v == 0 || v > a[3] {
			return 0, unix.ENODATA // shorter than its size said
		}
		a[3] -= v
	}
	return 0, 0
}
