package console

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEscape(t *testing.T) {
	for _, c := range []struct {
		typed, out string
		did        Did
	}{
		{"ls\r", "ls\r", Typed},
		{"~.", "", Left},
		{"ls\r~.x", "ls\r", Left},
		{"a~.", "a~.", Typed}, // in the middle of a line
		{"~~x", "~x", Typed},
		{"~?", "", AskedHelp},
		{"~?~?ls", "ls", AskedHelp}, // still at the start of a line
		{"\r~?~.", "\r", Left},
		{"~x", "~x", Typed},
	} {
		e := Escape{}
		out, did := e.Filter([]byte(c.typed))
		if string(out) != c.out || did != c.did {
			t.Errorf("%q: %q, %d; want %q, %d", c.typed, out, did, c.out, c.did)
		}
		// The same, a byte at a time.
		e, all := Escape{}, ""
		did = Typed
		for i := range len(c.typed) {
			out, d := e.Filter([]byte{c.typed[i]})
			all += string(out)
			if did = max(did, d); did == Left {
				break
			}
		}
		if all != c.out || did != c.did {
			t.Errorf("%q byte by byte: %q, %d", c.typed, all, did)
		}
	}
}

// The end of piped input ends a session after its pause, and what the guest
// says until then is not lost.
func TestInputEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guest, ours := net.Pipe()
		defer guest.Close()
		go func() {
			b := make([]byte, 2)
			_, _ = io.ReadFull(guest, b)
			time.Sleep(900 * time.Millisecond)
			_, _ = io.WriteString(guest, "answer to "+string(b))
		}()
		var out strings.Builder
		began := time.Now()
		err := Session{Conn: ours, In: strings.NewReader("ls"), Out: &out, Wait: time.Second}.Run(t.Context())
		if !errors.Is(err, ErrInputEnded) || out.String() != "answer to ls" {
			t.Errorf("%v, %q", err, out.String())
		}
		if d := time.Since(began); d != time.Second {
			t.Error(d)
		}
		ours.Close()
	})
}

// Without a pause the end of the input ends nothing: run goes on.
func TestInputEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guest, ours := net.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := Session{Conn: ours, In: strings.NewReader(""), Out: io.Discard}.Run(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		guest.Close()
		ours.Close()
	})
}
