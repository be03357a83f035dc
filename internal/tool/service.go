package tool

import (
	"context"
	"errors"
	"sync"
	"time"

	"skep/internal/host"
	"skep/internal/jail"
)

// A Service is a reader that goes on until it is stopped, or its caller's process ends: a network in user
// space. It has no bound in time and none on the processor.
type Service struct {
	PID      int
	Start    uint64
	UID, GID int
	// Jail is what the launcher did of its jail; nil on FreeBSD.
	Jail *jail.Record

	stop func(error)
	done chan struct{}
	err  error
	out  Output
}

// errStopped is why a service ends that was told to.
var errStopped = errors.New("it was stopped")

// Serve starts a service, and returns when its jail is complete and it has begun. The files of the job are the
// caller's to close.
func Serve(f host.Facts, j Job) (*Service, error) {
	if err := j.check(); err != nil {
		return nil, err
	}
	if j.Tool.reader == "" {
		return nil, errors.New("a service is a reader")
	}
	j.Limits = j.Limits.filled(j.Files)
	s := &Service{done: make(chan struct{})}
	ctx, cancel := context.WithCancelCause(context.Background())
	begun := make(chan struct{})
	j.service, j.begun = true, sync.OnceFunc(func() { close(begun) })
	j.started = func(pid int, start uint64) { s.PID, s.Start = pid, start }
	j.complete = func(uid, gid int, r *jail.Record) { s.UID, s.GID, s.Jail = uid, gid, r }
	s.stop = cancel
	go func() {
		s.out, s.err = run(ctx, f, j)
		if errors.Is(s.err, errStopped) {
			s.err = nil
		}
		close(s.done)
		cancel(nil)
	}()
	select {
	case <-begun:
		return s, nil
	case <-s.done:
	case <-time.After(j.Limits.Wall):
		cancel(ErrBound)
		<-s.done
	}
	if s.err == nil {
		return s, nil // it has begun, and had nothing left to do at once
	}
	return nil, s.err
}

// seconds is its limit of the processor; a service has none.
func (j Job) seconds() uint64 {
	if j.service {
		return 1<<63 - 1
	}
	return uint64(max(1, (j.Limits.CPU+time.Second-1)/time.Second))
}

// Done is closed when it has ended.
func (s *Service) Done() <-chan struct{} { return s.done }

// Err is why it ended by itself: nil where it was told to, or had nothing left to do.
func (s *Service) Err() error { return s.err }

// Said is what it said, and which calls it was refused. It has ended.
func (s *Service) Said() Output { return s.out }

// Stop ends it. It is given so long to end by itself.
func (s *Service) Stop(grace time.Duration) {
	select {
	case <-s.done:
		return
	case <-time.After(grace):
	}
	s.stop(errStopped)
	<-s.done
}
