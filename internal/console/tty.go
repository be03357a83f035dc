package console

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// tty is the terminal of a session: how it reads keys, and what it answers to
// questions that a guest has asked it.
type tty struct {
	keyboard, screen *os.File // either may be nil
	keys             <-chan []byte
	was              *term.State
	flush            bool // what was not read is nobody's
}

func newTTY(keyboard, screen *os.File, keys <-chan []byte) *tty {
	return &tty{keyboard: keyboard, screen: screen, keys: keys}
}

// file is the terminal, by whichever descriptor it is had.
func (t *tty) file() *os.File {
	if t.keyboard != nil {
		return t.keyboard
	}
	return t.screen
}

// raw hands every key on as it comes.
func (t *tty) raw() {
	if t.keyboard == nil {
		return
	}
	if was, err := term.MakeRaw(int(t.keyboard.Fd())); err == nil {
		t.was = was
	}
}

// mute keeps a terminal from showing what is typed, and what it answers, by
// itself. Keys that send signals still do. A terminal of which this process is
// not in the foreground is left alone: it would be stopped.
func (t *tty) mute() {
	f := t.file()
	if f == nil || t.was != nil {
		return
	}
	fd := int(f.Fd())
	if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil || group != unix.Getpgrp() {
		return
	}
	was, err := term.GetState(fd)
	if err != nil {
		return
	}
	if setLocal(fd, 0, unix.ECHO|unix.ICANON) == nil {
		t.was = was
	}
}

// signals makes the keys of signals work again in raw mode.
func (t *tty) signals() {
	if t.keyboard != nil && t.was != nil {
		_ = setLocal(int(t.keyboard.Fd()), unix.ISIG, 0)
	}
}

// close makes the terminal read keys as it did.
func (t *tty) close() {
	if t.was == nil {
		return
	}
	fd := int(t.file().Fd())
	if t.flush {
		_ = flushInput(fd)
	}
	_ = term.Restore(fd, t.was)
	t.was = nil
}

// size is how large the terminal is, or what most are.
func (t *tty) size() (columns, rows int) {
	for _, f := range []*os.File{t.screen, t.keyboard} {
		if f == nil {
			continue
		}
		if c, r, err := term.GetSize(int(f.Fd())); err == nil && c > 0 && r > 0 {
			return c, r
		}
	}
	return 80, 24
}

// Bounds of a wait for a terminal's answers. Most come within a millisecond; a
// terminal that answers nothing at all is not waited for long.
const (
	answerWait  = time.Second
	answerQuiet = 30 * time.Millisecond
	answerBound = 1500 * time.Millisecond
)

// drain reads away what a terminal answers to what a guest has asked it: later
// it would be typed into the shell, or into the guest. A terminal answers in
// order, so it is asked one thing more: where the cursor stands, at a place that
// the guest does not know.
func (t *tty) drain(out io.Writer) {
	t.mute()
	if t.was == nil {
		return // nobody's terminal, or another's
	}
	t.flush = true
	columns, rows := t.size()
	row, column := 1+rand.IntN(rows), 1+rand.IntN(columns)
	if _, err := fmt.Fprintf(out, "\x1b7\x1b[%d;%dH\x1b[6n\x1b8", row, column); err != nil {
		return
	}
	last := []byte(fmt.Sprintf("\x1b[%d;%dR", row, column))
	var got []byte
	seen := false
	bound := time.Now().Add(answerBound)
	for time.Now().Before(bound) {
		wait := answerWait
		if seen {
			wait = answerQuiet
		}
		b := t.next(min(wait, time.Until(bound)))
		if b == nil {
			return
		}
		got = append(got, b...)
		seen = seen || bytes.Contains(got, last)
		got = got[max(0, len(got)-len(last)):]
	}
}

// next is a piece of input; nil when none came in time.
func (t *tty) next(wait time.Duration) []byte {
	if t.keyboard != nil && t.keys != nil {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case b := <-t.keys:
			return b
		case <-timer.C:
			return nil
		}
	}
	fd := int(t.file().Fd())
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_ACCMODE != unix.O_RDWR {
		return nil
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for until := time.Now().Add(wait); ; {
		n, err := unix.Poll(fds, int(max(time.Until(until), 0).Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return nil
		}
		buf := make([]byte, 4096)
		if n, err = unix.Read(fd, buf); err != nil || n == 0 {
			return nil
		}
		return buf[:n]
	}
}
