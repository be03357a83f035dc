//go:build linux || freebsd

package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"skep/internal/console"
	"skep/internal/fault"
	"skep/internal/plan"
)

// logs are the logs of a cell that are kept below their size.
type logs struct {
	stop   map[string]func() // how each stops being looked at
	cut    func(path string, max int64) error
	unread atomic.Bool // nobody who may read a log will ever be there: see trim
}

func newLogs(cut func(path string, max int64) error) *logs {
	return &logs{stop: map[string]func(){}, cut: cut}
}

// trim brings a log below its size. In a drill no worker is there to read it: then all of it goes at once, and does
// not wait for one as in a cell, whose log may grow to four times its size meanwhile.
func (ls *logs) trim(path string, max int64) error {
	if !ls.unread.Load() {
		return ls.cut(path, max)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() <= max {
		return err
	}
	return cutUnread(path, info.Size())
}

// cutUnread empties a log. Whoever writes it appends, and goes on below the mark.
func cutUnread(path string, size int64) error {
	if err := os.Truncate(path, 0); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "[skep: %d bytes of log cut here]\n", size)
	return err
}

// open opens a log for appending, brings it below its size and, where watch is
// set, keeps it there until close. A log that this process alone writes needs
// no watch: see console.BoundedLog.
func (ls *logs) open(notify func(string), l *plan.Log, watch bool) (*os.File, error) {
	f, err := os.OpenFile(l.Path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "SKEP_STATE_DIR names another directory", "write the log %s", l.Path)
	}
	if err := ls.trim(l.Path, int64(l.Max)); err != nil {
		f.Close()
		return nil, fault.Wrap(fault.Host, err, "", "bound the log %s", l.Path)
	}
	if l.Name == "console-log" {
		if err := console.MarkStart(f, time.Now()); err != nil {
			notify("cannot mark the start in the log " + l.Path + ": " + err.Error())
		}
	}
	if !watch {
		return f, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := console.Bound(ctx, l.Path, int64(l.Max), ls.trim); err != nil {
			notify("cannot bound the log " + l.Path + ": " + err.Error())
		}
	}()
	ls.stop[l.Name] = func() { cancel(); <-done }
	return f, nil
}

// close ends the looking at a log and brings it below its size once more: what
// writes it is gone by now, and what it wrote since the last look would stay.
// So it does for a log whose keeper died.
func (ls *logs) close(notify func(string), l *plan.Log) {
	if stop := ls.stop[l.Name]; stop != nil {
		stop()
		delete(ls.stop, l.Name)
	}
	err := ls.trim(l.Path, int64(l.Max))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		notify("cannot bound the log " + l.Path + ": " + err.Error())
	}
}
