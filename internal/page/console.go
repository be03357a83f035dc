package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"skep/internal/console"
)

// Bounds of a console.
const (
	maxTyped   = 64 << 10    // in one message
	maxQueue   = 1 << 20     // said by the guest and not taken yet
	slowWait   = time.Second // for a client that has so much to take; then it is left behind
	replay     = 32 << 10    // of the log, which comes first
	typeWait   = 5 * time.Second
	joinWait   = 50 * time.Millisecond
	followWait = 200 * time.Millisecond
	leaveWait  = 5 * time.Second // a page that is loaded again is soon back
	pingWait   = 30 * time.Second
)

// consoles are those that somebody looks at.
type consoles struct {
	mu sync.Mutex
	of map[string]*session
}

// session is one console with all who look at it. Two who type both do.
type session struct {
	key    string
	lease  uint64
	device *os.File // nil where nobody may type: then what is new in the log is shown
	log    *os.File

	typing sync.Mutex

	mu      sync.Mutex
	closed  bool
	here    int // who look at it, or are about to
	clients map[*client]bool
	end     chan struct{}
}

// client is one browser at a console.
type client struct {
	queue chan []byte
	held  int // bytes in the queue
	slow  chan struct{}
}

// consoleWord is what is said of a console beside what the guest says.
type consoleWord struct {
	Kind   string `json:"kind"` // "log": the end of the log follows; "live": what comes now is said now; "stuck"; "ended"
	Type   bool   `json:"may_type,omitempty"`
	Reason string `json:"reason,omitempty"`
}

func (s *server) console(w http.ResponseWriter, r *http.Request, v visitor) {
	ask := v.ask(Console)
	ask.Cell = r.PathValue("cell")
	one, word, err := s.session(r.Context(), ask)
	if err != nil {
		refuse(w, err)
		return
	}
	defer s.leave(one)
	ws, err := websocket.Accept(w, r, acceptOptions)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ws.SetReadLimit(maxTyped)
	c := one.join()
	defer one.part(c)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		defer cancel()
		one.typed(ctx, ws, word.Type)
	}()
	one.shown(ctx, ws, c, word)
}

// acceptOptions: who may come was looked at before.
var acceptOptions = &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled}

// session asks for a console, and finds who looks at it already. One that was left just now is asked for again.
func (s *server) session(ctx context.Context, ask Ask) (one *session, word consoleWord, err error) {
	for range 3 {
		var got answer
		if got, err = s.ask(ctx, ask); err != nil {
			return nil, word, err
		}
		if err = json.Unmarshal(got.Body, &word); err != nil {
			return nil, word, err
		}
		if one = s.consoles.find(ask.Cell, word.Type, got); one != nil {
			return one, word, nil
		}
	}
	return nil, word, errGone
}

// find is the session of a cell: that of all who may type, or one that follows the log. It is nil where a device
// was not handed in because somebody had it, who has it no more.
func (all *consoles) find(cell string, may bool, got answer) *session {
	key := cell
	if !may {
		key += " (looked at)"
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.of == nil {
		all.of = map[string]*session{}
	}
	one := all.of[key]
	fresh := len(got.files) == 2 || one == nil && !may // a device that is handed in again: the old one's cell has ended
	if fresh {
		one = &session{key: key, lease: got.Lease, clients: map[*client]bool{}, end: make(chan struct{})}
		if len(got.files) > 0 {
			one.log = got.files[0]
		}
		if len(got.files) > 1 {
			one.device = got.files[1]
		}
		all.of[key] = one
		go one.read()
	} else {
		for _, f := range got.files {
			f.Close()
		}
	}
	if one != nil {
		one.mu.Lock()
		one.here++
		one.mu.Unlock()
	}
	return one
}

// join begins to keep what the guest says for a client, until it parts.
func (o *session) join() *client {
	c := &client{queue: make(chan []byte, 4096), slow: make(chan struct{})}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clients[c] = true
	return c
}

func (o *session) part(c *client) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.clients, c)
}

// leave ends, a little later, a console at which nobody is.
func (s *server) leave(o *session) {
	o.mu.Lock()
	o.here--
	o.mu.Unlock()
	time.AfterFunc(leaveWait, func() {
		s.consoles.mu.Lock()
		defer s.consoles.mu.Unlock()
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.here > 0 || o.closed {
			return
		}
		o.closed = true
		if s.consoles.of[o.key] == o {
			delete(s.consoles.of, o.key)
		}
		for _, f := range []*os.File{o.device, o.log} {
			if f != nil {
				f.Close()
			}
		}
		if o.lease != 0 {
			s.release(o.lease)
		}
	})
}

// read takes what the guest says, for all.
func (o *session) read() {
	defer close(o.end)
	if o.device == nil {
		o.follow()
		return
	}
	b := make([]byte, 16<<10)
	for {
		n, err := o.device.Read(b)
		o.tell(b[:n])
		if err != nil {
			return
		}
	}
}

// follow reads what comes into the log.
func (o *session) follow() {
	o.mu.Lock()
	log := o.log
	o.mu.Unlock()
	if log == nil {
		return
	}
	at := int64(-1)
	b := make([]byte, 64<<10)
	for ; ; time.Sleep(followWait) {
		info, err := log.Stat()
		if err != nil {
			return // closed: nobody looks any more
		}
		size := info.Size()
		if at < 0 || size < at { // it was cut: what is new is at its end
			at = size
		}
		for at < size {
			n, err := log.ReadAt(b[:min(int64(len(b)), size-at)], at)
			if n == 0 && err != nil {
				return
			}
			at += int64(n)
			o.tell(b[:n])
		}
	}
}

func (o *session) tell(b []byte) {
	if len(b) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range slices.Collect(maps.Keys(o.clients)) {
		full := func() bool { return c.held+len(b) > maxQueue || len(c.queue) == cap(c.queue) }
		for deadline := time.Now().Add(slowWait); full() && o.clients[c] && time.Now().Before(deadline); {
			o.mu.Unlock()
			time.Sleep(5 * time.Millisecond)
			o.mu.Lock()
		}
		switch {
		case !o.clients[c]: // it has gone meanwhile
		case full():
			delete(o.clients, c)
			close(c.slow)
		default:
			c.queue <- append([]byte(nil), b...)
			c.held += len(b)
		}
	}
}

// shown sends a client the end of the log, and then what the guest says, until either ends.
func (o *session) shown(ctx context.Context, ws *websocket.Conn, c *client, word consoleWord) {
	select {
	case <-time.After(joinWait):
	case <-ctx.Done():
		return
	}
	first := o.taken(c)
	before := o.tail()
	rest := first[console.Overlap(before, first):]
	before = withReturns(before)
	word.Kind = "live"
	if say(ctx, ws, consoleWord{Kind: "log"}) != nil || send(ctx, ws, before) != nil || say(ctx, ws, word) != nil || send(ctx, ws, rest) != nil {
		return
	}
	ping := time.NewTicker(pingWait)
	defer ping.Stop()
	for {
		var err error
		select {
		case b := <-c.queue:
			o.mu.Lock()
			c.held -= len(b)
			o.mu.Unlock()
			err = send(ctx, ws, append(b, o.taken(c)...))
		case <-c.slow:
			_ = ws.Close(websocket.StatusTryAgainLater, "too slow")
			return
		case <-o.end:
			_ = send(ctx, ws, o.taken(c))
			_ = say(ctx, ws, consoleWord{Kind: "ended"})
			_ = ws.Close(websocket.StatusNormalClosure, "ended")
			return
		case <-ping.C:
			wait, cancel := context.WithTimeout(ctx, writeWait)
			err = ws.Ping(wait)
			cancel()
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// taken is all that is kept for a client.
func (o *session) taken(c *client) (all []byte) {
	for {
		select {
		case b := <-c.queue:
			all = append(all, b...)
			o.mu.Lock()
			c.held -= len(b)
			o.mu.Unlock()
		default:
			return all
		}
	}
}

// tail is the end of the log, from the start of a line.
func (o *session) tail() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.log == nil {
		return nil
	}
	b, err := console.TailOf(o.log, replay)
	if err != nil {
		return nil
	}
	return b
}

// withReturns has skep's own lines in a log end as a terminal needs it.
func withReturns(b []byte) (out []byte) {
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte("[skep: ")) && bytes.HasSuffix(line, []byte("]\n")) {
			line = append(line[:len(line)-1:len(line)-1], "\r\n"...)
		}
		out = append(out, line...)
	}
	return out
}

// typed hands on what a client types. Who may not is read, and not heard.
func (o *session) typed(ctx context.Context, ws *websocket.Conn, may bool) {
	for {
		kind, b, err := ws.Read(ctx)
		if err != nil {
			return
		}
		if !may || o.device == nil || kind != websocket.MessageBinary {
			continue
		}
		o.typing.Lock()
		_ = o.device.SetWriteDeadline(time.Now().Add(typeWait))
		_, err = o.device.Write(b)
		o.typing.Unlock()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			_ = say(ctx, ws, consoleWord{Kind: "stuck", Reason: "the guest does not read what is typed"})
		}
	}
}

func say(ctx context.Context, ws *websocket.Conn, word consoleWord) error {
	text, err := json.Marshal(word)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	return ws.Write(ctx, websocket.MessageText, text)
}

func send(ctx context.Context, ws *websocket.Conn, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	return ws.Write(ctx, websocket.MessageBinary, b)
}
