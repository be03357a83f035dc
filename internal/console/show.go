package console

import (
	"io"
	"os"
)

// Show has a log written to out. On a terminal, whose file screen is, what that
// would obey is escaped; raw, the terminal is put right afterwards instead, and
// what it answered is thrown away before a shell reads it.
func Show(out io.Writer, screen *os.File, raw bool, write func(io.Writer) error) error {
	switch {
	case screen == nil:
		return write(out)
	case !raw:
		plain := &Plain{W: out}
		err := write(plain)
		if cerr := plain.Close(); err == nil {
			err = cerr
		}
		return err
	}
	t := newTTY(nil, screen, nil)
	t.mute()
	defer t.close()
	s := &Screen{W: out, Rows: func() int { _, rows := t.size(); return rows }}
	if _, err := io.WriteString(out, Begin); err != nil {
		return err
	}
	err := write(s)
	if _, werr := io.WriteString(out, s.Restore()); err == nil {
		err = werr
	}
	if s.Queried() {
		t.drain(out)
	}
	return err
}
