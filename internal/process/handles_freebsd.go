package process

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"skep/internal/kinfo"
)

// Handles are the open files of a process, for people: number and what it refers to.
func Handles(pid int) ([]string, error) {
	b, err := unix.SysctlRaw("kern.proc.filedesc", pid)
	if errors.Is(err, unix.ESRCH) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the files of process %d: %w", pid, err)
	}
	files, err := kinfo.ParseFiles(b)
	var all []string
	for _, f := range files {
		what := f.Path
		if what == "" {
			what = f.Type.String() + " " + f.Local
		}
		all = append(all, fmt.Sprintf("%d -> %s", f.FD, what))
	}
	return all, err
}
