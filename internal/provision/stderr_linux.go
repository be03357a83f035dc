package provision

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"skep/internal/plan"
)

// lastWords is the hypervisor's standard error: a pipe whose writing end it is given. The worker reads it, into
// what matters of it and into the hypervisor's log; the keeper has it for the next worker, and reads nothing.
type lastWords struct {
	r, w *os.File
	log  *os.File
	max  int64
}

func (t *linuxProvisioner) acquireStderr() (*lastWords, error) {
	log := t.files["hypervisor-log"]
	if log == nil {
		return nil, errors.New("the plan has no log for the hypervisor")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	// Without a reader, or with a slow one, the hypervisor goes on.
	if err = control(w, func(fd int) error { return unix.SetNonblock(fd, true) }); err != nil {
		r.Close()
		w.Close()
		return nil, err
	}
	return &lastWords{r: r, w: w, log: log, max: t.logBound("hypervisor-log")}, nil
}

// logBound is twice what a log may hold; from once on it is cut.
func (t *linuxProvisioner) logBound(name string) int64 {
	for _, l := range plan.Specs[*plan.Log](t.plan) {
		if l.Name == name {
			return 2 * int64(l.Max)
		}
	}
	return 1 << 20
}
