package console

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/term"
)

// ErrLeft is what Session returns when its user has typed the escape.
var ErrLeft = errors.New("left the console")

// Session joins a terminal, or a pair of pipes, to a console until the guest's
// side ends or the user leaves with ~. at the start of a line.
type Session struct {
	Conn io.ReadWriter
	In   io.Reader
	Out  io.Writer
	// Terminal is set where In is a terminal that Session may put into raw
	// mode, so that every key goes to the guest.
	Terminal *os.File
}

// Run copies both ways. The end of the input is not an order: the guest goes
// on, and so does its output. It returns nil when the guest's side has closed,
// ErrLeft when the user left, or the context's error.
func (s Session) Run(ctx context.Context) error {
	if s.Terminal != nil {
		old, err := term.MakeRaw(int(s.Terminal.Fd()))
		if err == nil {
			defer term.Restore(int(s.Terminal.Fd()), old)
		}
	}
	left := make(chan error, 1)
	go func() {
		if err := copyEscaped(s.Conn, s.In, s.Terminal != nil); err != nil {
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

// copyEscaped copies input to the guest, looking for ~. after a newline where
// a person types. It returns ErrLeft for that, and nil at the end of the input
// or when the guest takes no more.
func copyEscaped(guest io.Writer, in io.Reader, escapes bool) error {
	e := Escape{}
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		out, leave := buf[:n], false
		if escapes {
			out, leave = e.Filter(buf[:n])
		}
		if len(out) > 0 {
			if _, werr := guest.Write(out); werr != nil {
				return nil
			}
		}
		if leave {
			return ErrLeft
		}
		if err != nil {
			return nil
		}
	}
}

// Escape finds the escape sequences of cu(1) and ssh(1) in what is typed: at
// the start of a line, ~. leaves and ~~ is one tilde.
type Escape struct {
	midLine bool // the last byte did not end a line
	tilde   bool // a tilde at the start of a line is held back
}

// Filter returns what goes to the guest, and whether the user leaves.
func (e *Escape) Filter(in []byte) (out []byte, leave bool) {
	for _, b := range in {
		if e.tilde {
			e.tilde = false
			switch b {
			case '.':
				return out, true
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
	return out, false
}
