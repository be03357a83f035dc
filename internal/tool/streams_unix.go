//go:build linux || freebsd

package tool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// streams are the pipes of a tool's output and error.
type streams struct {
	out, err   *os.File // the tool's ends
	outR, errR *os.File
	bytes      bytes.Buffer
	words      tail
	done       chan error
}

// newStreams makes the pipes and begins to read them. kill ends the tool when it says too much, or nobody takes it.
func newStreams(j Job, kill func(error)) (*streams, error) {
	s := &streams{words: tail{most: 4 << 10}, done: make(chan error, 2)}
	var err error
	if s.outR, s.out, err = pipe(); err != nil {
		return nil, err
	}
	if s.errR, s.err, err = pipe(); err != nil {
		s.outR.Close()
		s.out.Close()
		return nil, err
	}
	var w io.Writer = &s.bytes
	if j.Out != nil {
		w = j.Out
	}
	if j.Progress != nil && j.Tool.path != "" {
		w = &percent{tell: j.Progress, to: w}
	}
	go func() {
		err := pump(w, s.outR, j.Limits.Output)
		if err != nil {
			kill(err)
		}
		s.done <- err
	}()
	go func() {
		// What it says of itself has no bound in time, but in memory.
		_, _ = io.Copy(&s.words, s.errR)
		s.done <- nil
	}()
	return s, nil
}

// pipe is os.Pipe whose ends block: a program that is handed one expects that.
func pipe() (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("pipe: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "from the tool"), os.NewFile(uintptr(fds[1]), "of the tool"), nil
}

// started closes the tool's ends, which it has.
func (s *streams) started() {
	s.out.Close()
	s.err.Close()
}

// wait returns when all has been read.
func (s *streams) wait() error {
	err := errors.Join(<-s.done, <-s.done)
	s.outR.Close()
	s.errR.Close()
	return err
}
