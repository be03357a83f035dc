package plan

import (
	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/hypervisor"
)

// thin puts stubs in the place of libraries that a cell does not reach, and leaves out what none but those need. code
// is how much of what remains is mapped to be executed, and linked how much of files: 0 where that is unknown.
func thin(c *cell.Cell, q *host.QEMU, files []host.File) (some []host.File, code, linked int64) {
	if len(q.Linked) == 0 {
		return files, 0, 0
	}
	stubs, needed := map[string]host.Stub{}, map[string]bool{}
	for _, s := range q.Stubs {
		if hypervisor.Unreached(c, s.Library) {
			stubs[s.Inside] = s
		}
	}
	for _, f := range files {
		l, known := q.Linked[f.Inside]
		if !known {
			return files, 0, 0
		}
		linked += l.Code
		for _, n := range l.Needs {
			needed[n] = true
		}
	}
	reached := map[string]bool{}
	var reach func(inside string)
	reach = func(inside string) {
		if reached[inside] {
			return
		}
		reached[inside] = true
		if _, is := stubs[inside]; is {
			return
		}
		for _, n := range q.Linked[inside].Needs {
			reach(n)
		}
	}
	for _, f := range files {
		if !needed[f.Inside] { // the program, its modules
			reach(f.Inside)
		}
	}
	for _, f := range files {
		s, stub := stubs[f.Inside]
		switch {
		case !reached[f.Inside]:
		case stub:
			some, code = append(some, s.File), code+s.Code
		default:
			some, code = append(some, f), code+q.Linked[f.Inside].Code
		}
	}
	return some, code, linked
}
