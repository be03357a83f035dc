package qmp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"skep/internal/hypervisor"
)

const greeting = `{"QMP":{"version":{},"capabilities":["oob"]}}` + "\n"

// fakeQEMU answers each command with what answer returns, raw.
func fakeQEMU(t *testing.T, answer func(command string, id uint64) string) *Client {
	t.Helper()
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		io.WriteString(there, greeting)
		lines := bufio.NewScanner(there)
		for lines.Scan() {
			var c struct {
				Execute string
				ID      uint64
			}
			if json.Unmarshal(lines.Bytes(), &c) != nil {
				return
			}
			reply := fmt.Sprintf(`{"return":{},"id":%d}`+"\n", c.ID)
			if c.Execute != "qmp_capabilities" {
				reply = answer(c.Execute, c.ID)
			}
			if _, err := io.WriteString(there, reply); err != nil {
				return
			}
		}
	}()
	q, err := New(t.Context(), here)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func TestQMPHostileReplies(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply string // %d is the id
		want  string // of the error, "" for none
		dies  bool   // the connection ends
	}{
		{"fine", `{"return":{"status":"running","running":true},"id":%d}`, "", false},
		{"refused", `{"error":{"class":"GenericError","desc":"no"},"id":%d}`, "QMP query-status: no", false},
		{"a terminal's orders in an error", `{"error":{"class":"x","desc":"\u001b]0;evil\u0007\n"},"id":%d}`, "QMP query-status: ?]0;evil??", false},
		{"a long error", `{"error":{"class":"x","desc":"` + strings.Repeat("y", 100000) + `"},"id":%d}`, "QMP query-status: yyyy", false},
		{"no JSON", `hello %d`, "not QMP", true},
		{"deep", `{"return":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `,"id":%d}`, "nested deeper", true},
		{"an endless line", strings.Repeat("x", 2*qmpMaxLine) + "%d", "a line of more than", true},
		{"neither return nor error", `{"id":%d}`, "neither return nor error", false},
		{"another type", `{"return":[1,2,3],"id":%d}`, "not QMP", false},
		{"an id of another type", `{"return":{},"id":"x%d"}`, "not QMP", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := fakeQEMU(t, func(_ string, id uint64) string { return fmt.Sprintf(tt.reply+"\n", id) })
			_, err := q.QueryStatus(t.Context())
			switch {
			case err == nil && tt.want != "":
				t.Errorf("no error, want %q", tt.want)
			case err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v, want %q", err, tt.want)
			case err != nil && len(err.Error()) > 1000:
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if tt.dies {
				<-q.Done()
				if !errors.Is(q.Err(), ErrClosed) {
					t.Error(q.Err())
				}
				if err := q.Cont(t.Context()); err == nil {
					t.Error("a command went out on a closed connection")
				}
			}
		})
	}
}

// A reply to a command that nobody waits for is nothing.
func TestQMPStrayReplies(t *testing.T) {
	q := fakeQEMU(t, func(_ string, id uint64) string {
		return fmt.Sprintf(`{"return":{},"id":999}`+"\n"+`{"return":{}}`+"\n"+`{"return":{"status":"paused"},"id":%d}`+"\n"+`{"return":{},"id":%d}`+"\n", id, id)
	})
	for range 3 {
		if s, err := q.QueryStatus(t.Context()); err != nil || s.State != hypervisor.StatePaused {
			t.Fatal(s, err)
		}
	}
}

func TestQMPTimeouts(t *testing.T) {
	q := fakeQEMU(t, func(string, uint64) string { return "" })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := q.Cont(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	// No greeting at all, and a caller that gives up.
	here, there := net.Pipe()
	defer there.Close()
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := New(ctx, here); err == nil {
		t.Error("greeted by nobody")
	}
}

// Events that nobody reads neither block commands nor pile up, and the latest
// survive.
func TestQMPEventFlood(t *testing.T) {
	const flood = 10 * maxEvents
	q := fakeQEMU(t, func(_ string, id uint64) string {
		return strings.Repeat(`{"event":"STOP","timestamp":{}}`+"\n"+`{"event":"RTC_CHANGE","data":{"offset":1}}`+"\n", flood) +
			`{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-shutdown"}}` + "\n" + fmt.Sprintf(`{"return":{},"id":%d}`+"\n", id)
	})
	if err := q.Cont(t.Context()); err != nil {
		t.Fatal(err)
	}
	if q.Lost() != flood+1-maxEvents {
		t.Errorf("%d lost, want %d", q.Lost(), flood+1-maxEvents)
	}
	var last hypervisor.Event
	for range maxEvents {
		last = <-q.Events()
	}
	if want := (hypervisor.Event{Kind: hypervisor.EventShutdown, Guest: true, Reason: hypervisor.ReasonGuestShutdown}); last != want {
		t.Errorf("last is %+v, want %+v", last, want)
	}
}

func TestQMPEventsCloseWithTheConnection(t *testing.T) {
	q := fakeQEMU(t, func(string, uint64) string { return "" })
	q.Close()
	if _, ok := <-q.Events(); ok {
		t.Error("an event out of nothing")
	}
}

func TestDecodeEvent(t *testing.T) {
	for _, tt := range []struct {
		line string
		want hypervisor.Event
		ok   bool
	}{
		{`{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-reset"}}`, hypervisor.Event{Kind: hypervisor.EventShutdown, Guest: true, Reason: "guest-reset"}, true},
		{`{"event":"SHUTDOWN","data":{"guest":"yes","reason":7}}`, hypervisor.Event{Kind: hypervisor.EventShutdown}, true},
		{`{"event":"SHUTDOWN","data":[]}`, hypervisor.Event{Kind: hypervisor.EventShutdown}, true},
		{`{"event":"STOP"}`, hypervisor.Event{Kind: hypervisor.EventStop}, true},
		{`{"event":"GUEST_PANICKED","data":{"action":"pause"}}`, hypervisor.Event{Kind: hypervisor.EventPanicked}, true},
		{`{"event":"BLOCK_IO_ERROR","data":{"node-name":"disk0","nospace":true,"reason":"No space left on device"}}`,
			hypervisor.Event{Kind: hypervisor.EventIOError, Node: "disk0", NoSpace: true, Reason: "No space left on device"}, true},
		{`{"event":"RTC_CHANGE","data":{"offset":1}}`, hypervisor.Event{}, false},
		{`{"event":"stop"}`, hypervisor.Event{}, false},
	} {
		m, err := decode([]byte(tt.line))
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := decodeEvent(m); e != tt.want || ok != tt.ok {
			t.Errorf("%s: %+v %v, want %+v %v", tt.line, e, ok, tt.want, tt.ok)
		}
	}
}

func FuzzQMP(f *testing.F) {
	f.Add([]byte(greeting))
	f.Add([]byte(`{"return":{"a":["}]",{"b":"\\\""}]},"id":1}` + "\n"))
	f.Add([]byte(`{"event":"SHUTDOWN","data":{"guest":true,"reason":"\u0000\ud800"}}` + "\n"))
	f.Add([]byte(`{"error":{"class":"a","desc":"b"},"id":18446744073709551615}` + "\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := newReader(strings.NewReader(string(stream)))
		for {
			m, err := r.next()
			if err != nil {
				return
			}
			if depth(m.Return) > qmpMaxDepth || depth(m.Data) > qmpMaxDepth {
				t.Error("too deep")
			}
			e, _ := decodeEvent(m)
			texts := []string{e.Reason, e.Node}
			if m.Error != nil {
				texts = append(texts, hypervisor.Clean(m.Error.Desc))
			}
			for _, s := range texts {
				if len(s) > hypervisor.MaxText || strings.ContainsAny(s, "\x00\x1b\r\n") {
					t.Errorf("%q is kept", s)
				}
			}
		}
	})
}
