package console

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// ErrLeft is what Session returns when its user has typed the escape.
var ErrLeft = errors.New("left the console")

// ErrInputEnded is what Session returns after the end of its input, where that
// ends it.
var ErrInputEnded = errors.New("the input has ended")

// Session joins a terminal, or a pair of pipes, to a console until the guest's
// side ends or the user leaves with ~. at the start of a line.
type Session struct {
	Conn io.ReadWriter
	In   io.Reader
	Out  io.Writer
	// Terminal is set where In is a terminal that Session may put into raw
	// mode, so that every key goes to the guest.
	Terminal *os.File
	// Help is what ~? writes to Out.
	Help string
	// Wait is how long the session goes on after the end of an input that is no
	// terminal; 0 is until the guest's side ends.
	Wait time.Duration
}

// Run copies both ways. It returns nil when the guest's side has closed,
// ErrLeft when the user left, ErrInputEnded when the input has ended and Wait
// is over, or the context's error.
func (s Session) Run(ctx context.Context) error {
	if s.Terminal != nil {
		old, err := term.MakeRaw(int(s.Terminal.Fd()))
		if err == nil {
			defer term.Restore(int(s.Terminal.Fd()), old)
		}
	}
	left := make(chan error, 1)
	go func() {
		err := s.copyInput()
		if errors.Is(err, ErrInputEnded) {
			if s.Wait == 0 || s.Terminal != nil {
				return
			}
			time.Sleep(s.Wait)
		}
		if err != nil {
			left <- err
		}
	}()
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(s.Out, s.Conn)
		ended <- err
	}()
	select {
	case err := <-left:
		return err
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// copyInput copies input to the guest, looking for escapes after a newline
// where a person types. It returns ErrLeft for ~., ErrInputEnded at the end of
// the input, and nil when the guest takes no more.
func (s Session) copyInput() error {
	e := Escape{}
	buf := make([]byte, 4096)
	for {
		n, err := s.In.Read(buf)
		out, did := buf[:n], Typed
		if s.Terminal != nil {
			out, did = e.Filter(buf[:n])
		}
		if len(out) > 0 {
			if _, werr := s.Conn.Write(out); werr != nil {
				return nil
			}
		}
		switch {
		case did == Left:
			return ErrLeft
		case did == AskedHelp && s.Help != "":
			_, _ = io.WriteString(s.Out, "\r\n"+strings.ReplaceAll(s.Help, "\n", "\r\n"))
		}
		if err != nil {
			return ErrInputEnded
		}
	}
}

// Did is what somebody at a terminal did beside typing.
type Did int

// What Escape finds.
const (
	Typed     Did = iota // nothing else
	AskedHelp            // ~?
	Left                 // ~.
)

// Escape finds the escape sequences of cu(1) and ssh(1) in what is typed: at
// the start of a line, ~. leaves, ~? asks for help and ~~ is one tilde.
type Escape struct {
	midLine bool // the last byte did not end a line
	tilde   bool // a tilde at the start of a line is held back
}

// Filter returns what goes to the guest, and what else was asked for.
func (e *Escape) Filter(in []byte) (out []byte, did Did) {
	for _, b := range in {
		if e.tilde {
			e.tilde = false
			switch b {
			case '.':
				return out, Left
			case '?':
				did = AskedHelp
				continue
			case '~':
				out, e.midLine = append(out, '~'), true
				continue
			}
			out, e.midLine = append(out, '~'), true
		}
		if b == '~' && !e.midLine {
			e.tilde = true
			continue
		}
		e.midLine = b != '\r' && b != '\n'
		out = append(out, b)
	}
	return out, did
}
