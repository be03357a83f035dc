package keeper

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"skep/internal/hypervisor"
)

// lastWords is the hypervisor's standard error: a pipe whose writing end it is
// given, read into what matters of it and into the hypervisor's log.
type lastWords struct {
	w      *os.File
	stderr *hypervisor.Stderr
	done   chan struct{} // closed at its end
}

func (t *linuxTaker) takeStderr() (*lastWords, error) {
	log := t.files["hypervisor-log"]
	if log == nil {
		return nil, errors.New("the plan has no log for the hypervisor")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	// Without a reader, or with a slow one, the hypervisor goes on.
	if err := control(w, func(fd int) error { return unix.SetNonblock(fd, true) }); err != nil {
		r.Close()
		w.Close()
		return nil, err
	}
	l := &lastWords{w: w, stderr: &hypervisor.Stderr{}, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		defer r.Close()
		_, _ = io.Copy(io.MultiWriter(l.stderr, quietly{log}), r)
	}()
	return l, nil
}

// quietly keeps a full disk from ending the reading.
type quietly struct{ w io.Writer }

func (q quietly) Write(p []byte) (int, error) {
	_, _ = q.w.Write(p)
	return len(p), nil
}
