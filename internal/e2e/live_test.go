package e2e

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// live is a skep that is being talked with.
type live struct {
	t    testing.TB
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *transcript // standard output, or the terminal
	errs *transcript
	done chan struct{}
	err  error
	at   int      // how much of out expect has passed
	tty  *os.File // where it is on a terminal
}

// transcript is what was written so far.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// live starts skep with pipes for its standard streams.
func (l *lab) live(args ...string) *live {
	l.t.Helper()
	v := &live{t: l.t, cmd: l.command(l.t.Context(), args...), out: &transcript{}, errs: &transcript{}, done: make(chan struct{})}
	in, err := v.cmd.StdinPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	v.in, v.cmd.Stdout, v.cmd.Stderr = in, v.out, v.errs
	l.start(v.cmd)
	v.reap()
	return v
}

// console joins a cell's console.
func (l *lab) console(name string) *live { return l.live("console", name) }

func (v *live) reap() {
	go func() { v.err = v.cmd.Wait(); close(v.done) }()
	v.t.Cleanup(func() {
		_ = v.cmd.Process.Kill()
		<-v.done
	})
}

// expect waits for text to come, after all that was expected before.
func (v *live) expect(within time.Duration, text string) {
	v.t.Helper()
	v.expectOne(within, text)
}

// expectOne is the same for one of several texts, and says which came first.
func (v *live) expectOne(within time.Duration, texts ...string) string {
	v.t.Helper()
	ended := false
	for deadline := time.Now().Add(within); ; {
		all := v.out.String()
		for _, text := range texts {
			if i := strings.Index(all[v.at:], text); i >= 0 {
				v.at += i + len(text)
				return text
			}
		}
		if ended || time.Now().After(deadline) {
			v.t.Fatalf("%q did not come within %s (ended: %v)\n%s\n%s", texts, within, ended, tail(all), v.errs)
		}
		select {
		case <-v.done:
			// What it wrote last may still be on its way through the terminal:
			// look once more.
			time.Sleep(500 * time.Millisecond)
			ended = true
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// tail is the end of a long transcript.
func tail(s string) string {
	const enough = 4000
	if len(s) > enough {
		return "…" + s[len(s)-enough:]
	}
	return s
}

// send types text.
func (v *live) send(text string) {
	v.t.Helper()
	if _, err := io.WriteString(v.in, text); err != nil {
		v.t.Fatalf("type %q: %v\n%s\n%s", text, err, tail(v.out.String()), v.errs)
	}
}

// ends waits for the end and wants its status.
func (v *live) ends(within time.Duration, want int) {
	v.t.Helper()
	select {
	case <-v.done:
	case <-time.After(within):
		v.t.Fatalf("%v did not end within %s\n%s\n%s", v.cmd.Args, within, tail(v.out.String()), v.errs)
	}
	if got := code(v.t, v.err); got != want {
		v.t.Fatalf("%v: exit %d, want %d\n%s\n%s", v.cmd.Args, got, want, tail(v.out.String()), v.errs)
	}
}
