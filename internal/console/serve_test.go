package console

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// lab is a guest's device with a server on it.
func lab(t *testing.T, keep bool) (guest net.Conn, s *Server, log *lockedBuffer, path string) {
	t.Helper()
	guest, device := net.Pipe()
	path = filepath.Join(t.TempDir(), "c.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	log = &lockedBuffer{}
	s = Serve(device, log, keep)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if s.Join(c) != nil {
				c.Close()
			}
		}
	}()
	t.Cleanup(func() { l.Close(); s.Close(time.Second) })
	return guest, s, log, path
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

func TestServeKeepsWhatWasSaidBefore(t *testing.T) {
	guest, s, log, path := lab(t, true)
	io.WriteString(guest, "hello from\n")
	c := dial(t, path)
	expect(t, c, "hello from\n")
	s.Settle(time.Second)
	go io.WriteString(c, "q")
	expect(t, guest, "q")
	io.WriteString(guest, "bye\n")
	expect(t, c, "bye\n")
	if got := log.String(); got != "hello from\nbye\n" {
		t.Errorf("log %q", got)
	}
	if s.Said() != 15 {
		t.Errorf("said %d", s.Said())
	}
}

// A client that comes later gets what is said from then on, and so does everybody who is there; one that leaves
// takes nobody with it.
func TestServeEverybody(t *testing.T) {
	guest, s, _, path := lab(t, true)
	io.WriteString(guest, "early\n")
	for s.Said() < 6 {
		time.Sleep(time.Millisecond) // it was read, and may not be heard yet
	}
	s.Settle(0)
	joined := func(n int) {
		t.Helper()
		for range 5000 {
			s.mu.Lock()
			there := len(s.clients)
			s.mu.Unlock()
			if there == n {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatalf("never were there %d", n)
	}
	first := dial(t, path)
	joined(1)
	io.WriteString(guest, "one\n")
	expect(t, first, "one\n")
	second := dial(t, path)
	joined(2)
	io.WriteString(guest, "two\n")
	expect(t, first, "two\n")
	expect(t, second, "two\n")
	go io.WriteString(second, "s")
	expect(t, guest, "s")
	first.Close()
	joined(1)
	io.WriteString(guest, "three\n")
	expect(t, second, "three\n")
	for range maxClients + 4 {
		dial(t, path)
	}
	joined(maxClients)
	if err := s.Join(second); err == nil {
		t.Error("there is no bound")
	}
}

// A client that does not read holds nobody up.
func TestServeSlowClient(t *testing.T) {
	guest, s, _, path := lab(t, false)
	dial(t, path)
	time.Sleep(20 * time.Millisecond)
	line := strings.Repeat("x", 16<<10)
	done := make(chan struct{})
	go func() {
		for range 256 {
			io.WriteString(guest, line)
		}
		close(done)
	}()
	// However slow the machine is, something arrives.
	for before := s.Said(); ; before = s.Said() {
		select {
		case <-done:
			return
		case <-time.After(10 * time.Second):
		}
		if s.Said() == before {
			t.Fatalf("the guest is held up after %d bytes", before)
		}
	}
}

func TestServeEnd(t *testing.T) {
	guest, s, _, path := lab(t, true)
	c := dial(t, path)
	time.Sleep(20 * time.Millisecond)
	io.WriteString(guest, "last words")
	guest.Close()
	got, _ := io.ReadAll(c)
	if string(got) != "last words" {
		t.Errorf("read %q", got)
	}
	s.Close(time.Second)
	if err := s.Join(c); err == nil {
		t.Error("somebody joined what has ended")
	}
}
