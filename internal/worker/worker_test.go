//go:build linux || freebsd

package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/hypervisor"
	"skep/internal/qmp"
)

func FuzzMessage(f *testing.F) {
	for _, m := range []Message{
		{Kind: Ready}, {Kind: Gone}, {Kind: Request, Act: Cont, ID: 1, Millis: 10}, {Kind: Answer, Act: Words, ID: 7, Texts: [4]string{"last", "", "é"}},
		{Kind: Answer, Act: Snapshot, ID: 1 << 31, Fault: Refused, Texts: [4]string{"a", "b", "c", "d"}}, eventMessage(Event, hypervisor.Event{Kind: hypervisor.EventStop}),
	} {
		b := make([]byte, Size)
		if err := m.encode(b); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decode(b)
		if err != nil {
			return
		}
		again := make([]byte, Size)
		if err := m.encode(again); err != nil || string(again) != string(b) {
			t.Errorf("%+v is written in another way: %v", m, err)
		}
		if m.Kind != Request && !plain(strings.Join(m.Texts[:], "")) {
			t.Errorf("%q would be shown", m.Texts)
		}
	})
}

func TestNotAMessage(t *testing.T) {
	good := func() []byte {
		b := make([]byte, Size)
		_ = Message{Kind: Answer, Act: Cont, ID: 1, Texts: [4]string{"text"}}.encode(b)
		return b
	}
	for name, change := range map[string]func([]byte) []byte{
		"half":                   func(b []byte) []byte { return b[:Size/2] },
		"nothing":                func(b []byte) []byte { return nil },
		"one byte more":          func(b []byte) []byte { return append(b, 0) },
		"no such kind":           func(b []byte) []byte { b[0] = byte(lastKind); return b },
		"no such act":            func(b []byte) []byte { b[2] = byte(lastAct); return b },
		"no act":                 func(b []byte) []byte { b[2] = 0; return b },
		"no number":              func(b []byte) []byte { b[4] = 0; return b },
		"no such fault":          func(b []byte) []byte { b[8] = byte(lastFault); return b },
		"a time in an answer":    func(b []byte) []byte { b[12] = 1; return b },
		"a gap that is not":      func(b []byte) []byte { b[10] = 1; return b },
		"something after texts":  func(b []byte) []byte { b[Size-1] = 1; return b },
		"a text that is too far": func(b []byte) []byte { b[17] = 0xff; return b },
		"an escape":              func(b []byte) []byte { b[headSize] = 0x1b; return b },
		"no UTF-8":               func(b []byte) []byte { b[headSize] = 0xff; return b },
		"turned text":            func(b []byte) []byte { copy(b[headSize:], "\u202e"); return b },
	} {
		if m, err := decode(change(good())); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if _, err := decode(good()); err != nil {
		t.Error(err)
	}
	if err := (Message{Kind: Request, Texts: [4]string{strings.Repeat("x", textRoom), "y"}}).encode(make([]byte, Size)); err == nil {
		t.Error("texts that are too long went out")
	}
}

// liar is the other end of a link, in the place of a worker.
type liar struct {
	t *testing.T
	*conn
}

func (l liar) say(m Message) {
	if err := l.send(m); err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		l.t.Error(err)
	}
}

// raw sends bytes as they are.
func (l liar) bytes(b []byte, oob []byte) { _, _ = sendAll(l.conn.raw, b, oob) }

func (l liar) hear() Message {
	m, files, err := l.receive(most)
	closeAll(files)
	if err != nil {
		l.t.Error(err)
	}
	return m
}

// linked is a link to a liar, heard what it said unasked.
func linked(t *testing.T, heard func(Message)) (*Link, liar) {
	t.Helper()
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLink(ours, heard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); theirs.Close() })
	return l, liar{t, c}
}

// Whatever a worker does that no worker does ends the link with a name, and soon.
func TestWorkerThatLies(t *testing.T) {
	before := answerGrace
	answerGrace = 200 * time.Millisecond
	t.Cleanup(func() { answerGrace = before })
	ready, answer := Message{Kind: Ready, Texts: [4]string{identity()}}, Message{Kind: Answer, Act: Cont, ID: 1}
	for name, tt := range map[string]struct {
		do   func(l liar) // after its first word and a request
		want string
	}{
		"no first word":         {nil, "out of turn"},
		"another skep's":        {func(l liar) {}, "another skep's"},
		"ready twice":           {func(l liar) { l.say(ready) }, "out of turn"},
		"half a message":        {func(l liar) { l.bytes(make([]byte, Size/2), nil) }, "another size"},
		"a longer one":          {func(l liar) { l.bytes(make([]byte, Size*3/2), nil) }, "more than"},
		"an empty one":          {func(l liar) { l.bytes(make([]byte, Size), nil) }, "not a message"},
		"answers nobody":        {func(l liar) { l.say(Message{Kind: Answer, Act: Cont, ID: 77}) }, "nobody asked"},
		"answers another":       {func(l liar) { l.say(Message{Kind: Answer, Act: Stop, ID: 1}) }, "nobody asked"},
		"answers twice":         {func(l liar) { l.say(answer); l.say(answer) }, "nobody asked"},
		"asks":                  {func(l liar) { l.say(Message{Kind: Request, Act: Cont, ID: 1, Millis: 1}) }, "it asks"},
		"hands over descriptor": {func(l liar) { l.bytes(make([]byte, Size), unix.UnixRights(0)) }, "descriptors"},
		"an escape": {func(l liar) {
			l.say(Message{Kind: Answer, Act: Cont, ID: 1, Fault: Failed, Texts: [4]string{"\x1b]0;title\a"}})
		}, "not printable"},
		"floods": {func(l liar) {
			l.say(answer)
			for began := time.Now(); time.Since(began) < time.Minute; {
				if l.send(eventMessage(Event, hypervisor.Event{Kind: hypervisor.EventStop})) != nil {
					return
				}
			}
		}, "floods"},
		"does not answer": {func(liar) {}, "does not answer"},
		"dies":            {func(l liar) { l.f.Close() }, "has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			l, w := linked(t, func(Message) {})
			asked := make(chan error, 1)
			if tt.do == nil {
				w.say(Message{Kind: Gone})
			} else if tt.want == "another skep's" {
				w.say(Message{Kind: Ready, Texts: [4]string{"0.0.1"}})
			} else {
				w.say(ready)
				if err := l.WaitReady(t.Context()); err != nil {
					t.Fatal(err)
				}
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
					defer cancel()
					_, err := l.ask(ctx, Message{Act: Cont})
					asked <- err
				}()
				if m := w.hear(); m.Kind != Request || m.Act != Cont || m.ID != 1 {
					t.Fatalf("%+v", m)
				}
				tt.do(w)
				<-asked
			}
			select {
			case <-l.Done():
			case <-time.After(time.Minute):
				t.Fatal("the link goes on")
			}
			if err := l.Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// What a worker says that is well formed and false changes only what is shown of its own guest.
func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer Message
		check  func(error) bool
	}{
		"yes": {Message{}, func(err error) bool { return err == nil }},
		"refused": {Message{Fault: Refused, Texts: [4]string{"anything", "GenericError", "no"}}, func(err error) bool {
			var c *qmp.CommandError
			return errors.As(err, &c) && c.Command == "cont" && c.Desc == "no"
		}},
		"closed": {Message{Fault: Closed}, func(err error) bool { return errors.Is(err, qmp.ErrClosed) }},
		"late":   {Message{Fault: Late}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		"failed": {Message{Fault: Failed, Texts: [4]string{"why"}}, func(err error) bool { return err != nil && err.Error() == "why" }},
	} {
		c := NewClient()
		l, w := linked(t, c.Heard)
		c.Use(l)
		w.say(Message{Kind: Ready, Texts: [4]string{identity()}})
		go func() {
			m := w.hear()
			tt.answer.Kind, tt.answer.Act, tt.answer.ID = Answer, m.Act, m.ID
			w.say(tt.answer)
		}()
		if err := c.Cont(t.Context()); !tt.check(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A request waits for the next worker, and none goes out once the hypervisor is let go of.
func TestNextWorker(t *testing.T) {
	c := NewClient()
	done := make(chan error, 1)
	go func() { done <- c.Cont(t.Context()) }()
	l, w := linked(t, c.Heard)
	w.say(Message{Kind: Ready, Texts: [4]string{identity()}})
	c.Use(l)
	m := w.hear()
	w.say(Message{Kind: Answer, Act: m.Act, ID: m.ID})
	if err := <-done; err != nil {
		t.Error(err)
	}
	c.Use(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Cont(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	c.Close()
	if err := c.Cont(t.Context()); !errors.Is(err, ErrOver) {
		t.Error(err)
	}
	if _, ok := <-c.Events(); ok {
		t.Error("an event out of nothing")
	}
}

// Events that nobody reads do not pile up, and the latest survive; one that there is not is dropped.
func TestEventsPileUp(t *testing.T) {
	c := NewClient()
	for range 3 * mostEvents {
		c.Heard(eventMessage(Event, hypervisor.Event{Kind: hypervisor.EventStop}))
	}
	last := hypervisor.Event{Kind: hypervisor.EventIOError, Node: "disk0", NoSpace: true, Stopped: true, Reason: "full"}
	c.Heard(eventMessage(Event, last))
	c.Heard(Message{Kind: Event, Nums: [4]uint64{99}})
	c.Heard(Message{Kind: Gone})
	c.Heard(Message{Kind: Gone})
	var got []hypervisor.Event
	for e := range c.Events() {
		got = append(got, e)
	}
	if len(got) != mostEvents || !reflect.DeepEqual(got[len(got)-1], last) {
		t.Errorf("%d, the last %+v", len(got), got[len(got)-1])
	}
}

// serving runs a worker here, connected to a hypervisor that says what say writes.
func serving(t *testing.T, say func(hypervisor io.ReadWriter)) (*Client, *Link, error) {
	t.Helper()
	return servingWithin(t, time.Minute, say)
}

func servingWithin(t *testing.T, within time.Duration, say func(hypervisor io.ReadWriter)) (*Client, *Link, error) {
	t.Helper()
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = serve(theirs); theirs.Close() }()
	c := NewClient()
	l, err := NewLink(ours, c.Heard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	here, there := os.NewFile(uintptr(fds[0]), "qmp"), os.NewFile(uintptr(fds[1]), "qemu")
	defer here.Close()
	go func() {
		defer there.Close()
		say(there)
	}()
	c.Use(l)
	if err := l.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return c, l, l.Connect(ctx, here)
}

// answered greets, and answers the first command.
func answered(w io.ReadWriter, answer string) {
	fmt.Fprint(w, greeting)
	_, _ = w.Read(make([]byte, 1<<10))
	fmt.Fprint(w, answer)
	time.Sleep(50 * time.Millisecond) // or its end comes first
}

const greeting = `{"QMP":{"version":{},"capabilities":[]}}` + "\n"

// A hypervisor that lies is its worker's, and the keeper hears of it in a sentence.
func TestHypervisorThatLies(t *testing.T) {
	pour := func(w io.Writer, what string, n int) {
		b := []byte(strings.Repeat(what, 1<<16/len(what)))
		for ; n > 0; n -= len(b) {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}
	for name, tt := range map[string]struct {
		say  func(io.ReadWriter)
		want string // of connecting; "" where that works
	}{
		"never greets": {func(w io.ReadWriter) { _, _ = io.Copy(io.Discard, w) }, "no answer"},
		"hangs up":     {func(io.ReadWriter) {}, "EOF"},
		"greets twice": {func(w io.ReadWriter) {
			fmt.Fprint(w, greeting, greeting)
			_, _ = w.Read(make([]byte, 1<<10))
			fmt.Fprint(w, `{"return":{},"id":1}`, "\n")
			_, _ = io.Copy(io.Discard, w)
		}, ""},
		"one line without an end": {func(w io.ReadWriter) { pour(w, "x", 100<<20) }, "a line of more than"},
		"no UTF-8": {func(w io.ReadWriter) {
			answered(w, "{\"error\":{\"class\":\"\xff\",\"desc\":\"\xff\xfe\x1b[2J\"},\"id\":1}\n")
		}, "the connection is closed"},
		"nested too deep": {func(w io.ReadWriter) { fmt.Fprint(w, strings.Repeat("[", 10000), "\n") }, "nested deeper"},
	} {
		t.Run(name, func(t *testing.T) {
			within := time.Minute
			if name == "never greets" {
				within = time.Second
			}
			c, l, err := servingWithin(t, within, tt.say)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if l.Err() != nil {
				t.Error("the worker is blamed:", l.Err())
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := c.Cont(ctx); err == nil {
				t.Error("a command was obeyed")
			}
		})
	}
}

// What was said on standard error is known also when the hypervisor is gone before it was ever connected to.
func TestLastWords(t *testing.T) {
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = serve(theirs); theirs.Close() }()
	c := NewClient()
	l, err := NewLink(ours, c.Heard)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	log, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w, "%s\n%s\nqemu: no \x1b such flag\n", strings.Repeat("x", 1<<13), hypervisor.TripleFaultMark)
	w.Close()
	if err := l.Listen(t.Context(), r, log, 1<<20); err != nil {
		t.Fatal(err)
	}
	c.Use(l)
	words, triple := c.Words(t.Context())
	if !triple || !strings.HasSuffix(words, "qemu: no ? such flag") {
		t.Errorf("%q %v", words, triple)
	}
	if err := c.ForgetWords(t.Context()); err != nil {
		t.Error(err)
	}
	if words, triple = c.Words(t.Context()); triple || words == "" {
		t.Errorf("%q %v", words, triple)
	}
	if err := c.Cont(t.Context()); !errors.Is(err, qmp.ErrClosed) {
		t.Error(err)
	}
	if b, err := os.ReadFile(log.Name()); err != nil || !strings.Contains(string(b), "such flag") {
		t.Errorf("%q %v", b, err)
	}
}

// A storm of events is spread by the worker so that its keeper need not end it.
func TestStormOfEvents(t *testing.T) {
	const storm = 2000
	c, l, err := serving(t, func(w io.ReadWriter) {
		answered(w, `{"return":{},"id":1}`+"\n")
		fmt.Fprint(w, strings.Repeat(`{"event":"STOP"}`+"\n", storm), `{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-shutdown"}}`, "\n")
	})
	if err != nil {
		t.Fatal(err)
	}
	var last hypervisor.Event
	for e := range c.Events() {
		last = e
	}
	if last.Kind != hypervisor.EventShutdown || l.Err() != nil {
		t.Errorf("%+v, %v", last, l.Err())
	}
}

// Each act has a row, and no descriptor too many.
func TestActs(t *testing.T) {
	for a := Act(1); a < lastAct; a++ {
		if r := acts[a]; r.name == "" || r.do == nil || r.files > most {
			t.Errorf("act %d: %+v", a, r.name)
		}
	}
}

// A snapshot of much memory, or on a busy host, takes longer than other acts may.
func TestSnapshotMayTakeLong(t *testing.T) {
	link, other := linked(t, func(Message) {})
	c := NewClient()
	c.Use(link)
	done := make(chan error, 1)
	go func() { done <- c.Snapshot(t.Context(), "snapshot-save", "clean", []int{0, 2}) }()
	other.say(Message{Kind: Ready, Texts: [4]string{identity()}})
	m := other.hear()
	if m.Act != Snapshot || m.Nums[0] != 0b101 || time.Duration(m.Millis)*time.Millisecond < snapshotWait/2 {
		t.Errorf("asked for %+v", m)
	}
	other.say(Message{Kind: Answer, Act: Snapshot, ID: m.ID})
	if err := <-done; err != nil {
		t.Error(err)
	}
}
