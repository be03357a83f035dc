package console

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"
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
	// Screen is set where Out is a terminal. It is put right at the end.
	Screen *os.File
	// Before is what the guest has said some time ago. A terminal is shown it
	// escaped, unless Raw; what it answers to that never reaches the guest.
	Before []byte
	Raw    bool
	// Leave, where it is set, is called at ~. in place of ending the session: the
	// guest's last words are still shown.
	Leave func()
}

// Run copies both ways. It returns nil when the guest's side has closed,
// ErrLeft when the user left, ErrInputEnded when the input has ended and Wait
// is over, or the context's error.
func (s Session) Run(ctx context.Context) error {
	done := make(chan struct{})
	defer close(done)
	keys := readKeys(s.In, done)
	tty := newTTY(s.Terminal, s.Screen, keys)
	tty.raw()
	defer tty.close()
	out := &gate{w: s.Out}
	var screen *Screen
	if s.Screen != nil {
		screen = &Screen{W: s.Out, Rows: func() int { _, rows := tty.size(); return rows }}
		out.w = screen
		if _, err := io.WriteString(s.Out, Begin); err != nil {
			return err
		}
		defer func() {
			out.shut()
			_, _ = io.WriteString(s.Out, screen.Restore())
			if screen.Queried() {
				tty.drain(s.Out)
			}
		}()
	}
	if err := s.replay(screen, out, tty); err != nil {
		return err
	}
	return s.relay(ctx, out, tty, keys)
}

// replay shows what came before.
func (s Session) replay(screen *Screen, out io.Writer, tty *tty) error {
	if len(s.Before) == 0 {
		return nil
	}
	if screen == nil || s.Raw {
		if _, err := out.Write(s.Before); err != nil {
			return err
		}
		if screen != nil && screen.Queried() {
			tty.drain(s.Out)
		}
		return nil
	}
	plain := &Plain{W: crlf{s.Out}}
	if _, err := plain.Write(s.Before); err != nil {
		return err
	}
	screen.midLine = s.Before[len(s.Before)-1] != '\n'
	return plain.Close()
}

// relay copies both ways until one side is done.
func (s Session) relay(ctx context.Context, out io.Writer, tty *tty, keys <-chan []byte) error {
	stop := make(chan struct{})
	defer close(stop)
	left := make(chan error, 1)
	go func() {
		err := s.copyInput(keys, stop, out)
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
		_, err := io.Copy(out, s.Conn)
		ended <- err
	}()
	for {
		select {
		case err := <-left:
			if s.Leave == nil || !errors.Is(err, ErrLeft) {
				return err
			}
			tty.signals() // a key can still end it at once
			s.Leave()
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// copyInput copies input to the guest, looking for escapes after a newline
// where a person types. It returns ErrLeft for ~., ErrInputEnded at the end of
// the input, and nil when the guest takes no more or the session is over.
func (s Session) copyInput(keys <-chan []byte, stop <-chan struct{}, screen io.Writer) error {
	e := Escape{}
	for {
		var out []byte
		select {
		case <-stop:
			return nil
		case typed, more := <-keys:
			if !more {
				return ErrInputEnded
			}
			out = typed
		}
		did := Typed
		if s.Terminal != nil {
			out, did = e.Filter(out)
		}
		if len(out) > 0 {
			if _, err := s.Conn.Write(out); err != nil {
				return nil
			}
		}
		switch {
		case did == Left:
			return ErrLeft
		case did == AskedHelp && s.Help != "":
			_, _ = io.WriteString(screen, "\r\n"+strings.ReplaceAll(s.Help, "\n", "\r\n"))
		}
	}
}

// readKeys reads the input in one place, whoever it is for at the time.
func readKeys(in io.Reader, done <-chan struct{}) <-chan []byte {
	keys := make(chan []byte)
	go func() {
		defer close(keys)
		for {
			buf := make([]byte, 4096)
			n, err := in.Read(buf)
			if n > 0 {
				select {
				case keys <- buf[:n]:
				case <-done:
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return keys
}

// gate lets a stream through until it is shut.
type gate struct {
	mu sync.Mutex
	w  io.Writer
	no bool
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.no {
		return len(p), nil
	}
	return g.w.Write(p)
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.no = true
}

// crlf ends lines as a terminal in raw mode needs them.
type crlf struct{ w io.Writer }

func (c crlf) Write(p []byte) (int, error) {
	b := make([]byte, 0, len(p)+16)
	for _, x := range p {
		if x == '\n' {
			b = append(b, '\r')
		}
		b = append(b, x)
	}
	_, err := c.w.Write(b)
	return len(p), err
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
