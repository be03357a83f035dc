package reconnect

import (
	"io"
	"net"
	"testing"
	"time"
)

func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal(what)
	}
}

// Where one connection ends the next goes on, for who reads and for who writes; after End the rest is still
// read, and then it is over.
func TestConn(t *testing.T) {
	c := New()
	read := make(chan string, 1)
	go func() { b, _ := io.ReadAll(c); read <- string(b) }()
	for _, text := range []string{"one ", "two"} {
		ours, theirs := net.Pipe()
		c.Join(ours)
		if _, err := theirs.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
	}
	c.End()
	within(t, "it is not quiet", c.Quiet())
	if got := <-read; got != "one two" {
		t.Errorf("read %q", got)
	}
	if _, err := c.Write([]byte("x")); err != io.ErrClosedPipe {
		t.Errorf("write after the end: %v", err)
	}
}

// What one connection no longer takes is given to the next.
func TestWriteGoesOn(t *testing.T) {
	c := New()
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		if n, err := c.Write([]byte("abcdef")); n != 6 || err != nil {
			t.Errorf("wrote %d: %v", n, err)
		}
	}()
	ours, theirs := net.Pipe()
	c.Join(ours)
	b := make([]byte, 2)
	if _, err := io.ReadFull(theirs, b); err != nil || string(b) != "ab" {
		t.Fatalf("%q, %v", b, err)
	}
	theirs.Close()
	ours, theirs = net.Pipe()
	c.Join(ours)
	b = make([]byte, 4)
	if _, err := io.ReadFull(theirs, b); err != nil || string(b) != "cdef" {
		t.Fatalf("%q, %v", b, err)
	}
	within(t, "the writer waits", wrote)
	// A writer that waits for a connection hears of the end.
	theirs.Close()
	ended := make(chan struct{})
	go func() { defer close(ended); _, _ = c.Write([]byte("more")) }()
	c.End()
	within(t, "the writer waits after the end", ended)
}
