package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/input"
	"skep/internal/layout"
	"skep/internal/memdump"
	"skep/internal/plan"
	"skep/internal/unixsock"
)

// The control protocol: a client writes one request as a line of JSON, and
// reads lines of JSON until the keeper closes the connection. The socket lies
// in a directory that only the keeper's user may enter. It can be tried by
// hand:
//
//	echo '{"do":"status"}' | nc -U /var/run/skep/cells/NAME/control.sock
type request struct {
	Do  string `json:"do"`  // stop, kill, screenshot, status, suspend, resume, input, stacks, profile
	Who string `json:"who"` // for the reason
	// Name is the profile's, the tag of a snapshot, or the label of a disk.
	Name string `json:"name,omitempty"`
	// Sum is the SHA-256 of a file that was made.
	Sum string `json:"sum,omitempty"`
	// Steps are what keyboard and pointer do.
	Steps []input.Step `json:"steps,omitempty"`
	// Size is what that disk is to have, in bytes.
	Size cell.Size `json:"size,omitempty"`
	// Path is of the image that goes into a drive.
	Path string `json:"path,omitempty"`
}

// response is one line of a keeper's.
type response struct {
	OK bool `json:"ok"`
	fault.Wire
	Data []byte `json:"data,omitempty"`
	// Follows is how many bytes come after this line.
	Follows int64 `json:"follows,omitempty"`
	// Ended is set in the last line after stop and kill: everything of the cell
	// is released.
	Ended  bool   `json:"ended,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Bounds of the protocol. A screenshot is the largest thing said.
const (
	maxRequest  = 128 << 10
	maxResponse = 256 << 20
	controlWait = 30 * time.Second
)

// server answers on the control socket.
type server struct {
	keeper   *Keeper
	listener net.Listener
	gate     *gate // of the socket for others; nil on the keeper's user's own
	clients  sync.WaitGroup
}

// listen has the keeper listen for commands, in this life and in all that follow.
func (k *Keeper) listen(s *plan.Socket) error {
	if k.server != nil {
		return nil
	}
	l, err := thisHost.listen(s.Path)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "listen on %s", s.Path)
	}
	k.server = serve(k, l, nil)
	return nil
}

func serve(k *Keeper, l net.Listener, g *gate) *server {
	s := &server{keeper: k, listener: l, gate: g}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.clients.Add(1)
			go func() {
				defer s.clients.Done()
				defer conn.Close()
				if g != nil {
					s.other(conn)
					return
				}
				s.client(conn, nil)
			}()
		}
	}()
	return s
}

// close ends the listening. Clients that wait for the end are answered by
// their own goroutines; Flush waits for them.
func (s *server) close() { s.listener.Close() }

// Flush waits, within a bound, until every client has its last line. The
// keeper's process calls it before it exits.
func (k *Keeper) Flush() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, s := range []*server{k.server, k.others} {
			if s != nil {
				s.clients.Wait()
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
	}
}

// other is a client on the socket for others.
func (s *server) other(conn net.Conn) {
	who, leave, err := s.gate.enter(conn)
	if err != nil {
		_ = conn.SetDeadline(time.Now().Add(visitWait))
		_ = json.NewEncoder(conn).Encode(response{Wire: fault.ToWire(err)})
		return
	}
	defer leave()
	s.client(conn, &who)
}

// client answers one client. who is somebody else than the keeper's user.
func (s *server) client(conn net.Conn, who *visitor) {
	wait := controlWait
	if who != nil {
		wait = visitWait
	}
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	line, file, err := receive(conn)
	if err != nil {
		return
	}
	handed := file // that nobody has taken over yet
	defer func() {
		if handed != nil {
			handed.Close()
		}
	}()
	out := json.NewEncoder(timely{conn})
	if who != nil && len(who.may) == 0 { // and none of what a stranger says is parsed
		_ = out.Encode(response{Wire: fault.ToWire(who.refuses("", s.keeper.Cell.Name))})
		return
	}
	var req request
	if err := json.Unmarshal(line, &req); err != nil {
		_ = out.Encode(response{Wire: fault.ToWire(fault.New(fault.Input, "", "understand the request"))})
		return
	}
	if who != nil {
		if err := who.refuses(req.Do, s.keeper.Cell.Name); err != nil {
			_ = out.Encode(response{Wire: fault.ToWire(err)})
			return
		}
		if f := forOthers[req.Do].answer; f != nil {
			f(visit{s, conn, *who, req})
			return
		}
		req.Who = who.name // as the kernel says, and not as the client does
	}
	if req.Do == doStacks || req.Do == doProfile {
		data, err := s.keeper.inspect(req.Do, req.Name)
		_ = out.Encode(response{OK: err == nil, Wire: fault.ToWire(err), Data: data})
		return
	}
	o := command{do: commandKind(req.Do), who: req.Who, number: int(pauseNumber.Add(1)), tag: req.Name, size: req.Size, path: req.Path, sum: req.Sum, steps: req.Steps, file: file, reply: make(chan answer, 1)}
	switch o.do {
	case commandDump:
		if file == nil || !slices.Contains(memdump.Formats(), req.Name) {
			_ = out.Encode(response{Wire: fault.ToWire(fault.New(fault.Input, "", "dump without a descriptor and a format"))})
			return
		}
		handed = nil // the command's own
	case commandInput:
		if !input.Valid(req.Steps) {
			_ = out.Encode(response{Wire: fault.ToWire(fault.New(fault.Input, "", "understand the input"))})
			return
		}
	case commandSave, commandLoad, commandForget, commandGrow, commandMedium, commandStop, commandKill, commandScreenshot, commandStatus, commandPause, commandSuspend, commandResume, commandMade:
	default:
		_ = out.Encode(response{Wire: fault.ToWire(fault.New(fault.Input, "", "do %.40q", req.Do))})
		return
	}
	s.keeper.tell(o)
	a := s.keeper.replyTo(o)
	if a.picture != nil {
		defer a.picture.Close()
		_ = conn.SetWriteDeadline(time.Now().Add(controlWait))
		_ = pass(conn, a.picture)
		return
	}
	r := response{OK: a.err == nil, Wire: fault.ToWire(a.err), Data: a.data}
	if out.Encode(r) != nil || a.err != nil {
		return
	}
	if o.do == commandPause {
		s.untilDone(conn, out, o)
		return
	}
	if o.do == commandStop || o.do == commandKill {
		<-s.keeper.finished
		_ = out.Encode(response{OK: true, Ended: true, Reason: s.keeper.outcome.Reason})
	}
}

// timely is a connection whose other end has to read what is written to it within a bound.
type timely struct{ net.Conn }

func (t timely) Write(b []byte) (int, error) {
	_ = t.SetWriteDeadline(time.Now().Add(controlWait))
	return t.Conn.Write(b)
}

// pass sends a file after a line that says how long it is. The kernel does, so that it is not read here.
func pass(conn net.Conn, f *os.File) error {
	info, err := f.Stat()
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil || info.Size() > maxResponse/2 {
		return json.NewEncoder(conn).Encode(response{Wire: fault.ToWire(fault.Wrap(fault.Host, err, "", "pass the picture on"))})
	}
	if err := json.NewEncoder(conn).Encode(response{OK: true, Follows: info.Size()}); err != nil {
		return err
	}
	return passBytes(conn, f, info.Size())
}

// pauseNumber tells one pause from another.
var pauseNumber atomic.Int64

// untilDone waits for the end of a pause: the client says that it is done, or
// hangs up. Its answer says that the guest stood still until then.
func (s *server) untilDone(conn net.Conn, out *json.Encoder, asked command) {
	_ = conn.SetReadDeadline(time.Time{})
	gone := make(chan struct{})
	go func() { _, _ = conn.Read(make([]byte, 1)); close(gone) }()
	select {
	case <-gone:
	case <-s.keeper.finished:
		return // and with the connection the client learns of it
	}
	o := command{do: commandPauseDone, who: asked.who, number: asked.number, reply: make(chan answer, 1)}
	s.keeper.tell(o)
	select {
	case a := <-o.reply:
		_ = out.Encode(response{OK: a.err == nil})
	case <-s.keeper.finished:
	}
}

// Client speaks with the keeper of a running cell.
type Client struct {
	conn net.Conn
	in   *json.Decoder
	// PID is the keeper's, 0 where it is not known.
	PID int
}

// Dial connects to the keeper whose cell has that run directory.
func Dial(runDir string) (*Client, error) {
	conn, err := unixsock.Dial(filepath.Join(runDir, layout.Socket(layout.Control)))
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn, in: json.NewDecoder(io.LimitReader(conn, maxResponse)), PID: unixsock.Peer(conn)}, nil
}

// Close hangs up.
func (c *Client) Close() error { return c.conn.Close() }

// Stacks are those of all of the keeper's goroutines, as text.
func (c *Client) Stacks(ctx context.Context) ([]byte, error) {
	return c.ask(ctx, request{Do: doStacks})
}

// Profile is one of Profiles, as go tool pprof reads it.
func (c *Client) Profile(ctx context.Context, name string) ([]byte, error) {
	return c.ask(ctx, request{Do: doProfile, Name: name})
}

// Ask makes one request and waits for its first answer.
func (c *Client) Ask(ctx context.Context, do, who string) ([]byte, error) {
	return c.ask(ctx, request{Do: do, Who: who})
}

func (c *Client) ask(ctx context.Context, asked request) ([]byte, error) {
	return c.askWith(ctx, asked, nil)
}

// askWith hands a file along, where one is given.
func (c *Client) askWith(ctx context.Context, asked request, file *os.File) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	defer stop()
	b, _ := json.Marshal(asked)
	// Whoever is refused at the door may be hung up on before the request is through: the answer is there.
	sent := unixsock.Send(c.conn, append(b, '\n'), file)
	if sent != nil && !errors.Is(sent, syscall.EPIPE) {
		return nil, sent
	}
	var r response
	if err := c.in.Decode(&r); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	if !r.OK {
		return nil, r.Wire.Err()
	}
	if r.Follows > 0 && r.Follows <= maxResponse/2 {
		b := make([]byte, 1+r.Follows) // and the end of the line before
		_, err := io.ReadFull(io.MultiReader(c.in.Buffered(), c.conn), b)
		return b[1:], err
	}
	return r.Data, nil
}

// Snapshot has the hypervisor save disks and memory by a tag, go back to them, or forget them: do is
// "snapshot-save", "snapshot-load" or "snapshot-delete".
func (c *Client) Snapshot(ctx context.Context, do, tag string) error {
	_, err := c.ask(ctx, request{Do: do, Who: "skep snapshot", Name: tag})
	return err
}

// Input has keyboard and pointer of the guest do something.
func (c *Client) Input(ctx context.Context, who string, steps []input.Step) error {
	_, err := c.ask(ctx, request{Do: string(commandInput), Who: who, Steps: steps})
	return err
}

// Dump has the guest's memory written to a file or a pipe, and returns when that is over.
func (c *Client) Dump(ctx context.Context, who, format string, w *os.File) error {
	_, err := c.askWith(ctx, request{Do: string(commandDump), Who: who, Name: format}, w)
	return err
}

// Made has the cell's events say that a file was made of it.
func (c *Client) Made(ctx context.Context, who, path, sum string) error {
	_, err := c.ask(ctx, request{Do: string(commandMade), Who: who, Name: path, Sum: sum})
	return err
}

// Grow has the hypervisor make a disk larger that it has open.
func (c *Client) Grow(ctx context.Context, label string, size cell.Size) error {
	_, err := c.ask(ctx, request{Do: string(commandGrow), Who: "skep disk grow", Name: label, Size: size})
	return err
}

// ChangeMedium puts an image into a drive, or leaves it empty where path is "".
func (c *Client) ChangeMedium(ctx context.Context, label, path string) error {
	_, err := c.ask(ctx, request{Do: string(commandMedium), Who: "skep media", Name: label, Path: path})
	return err
}

// Ended waits, after stop or kill, until everything of the cell is released,
// and returns how it ended. A keeper that hangs up without a word has died.
func (c *Client) Ended(ctx context.Context) (reason string, err error) {
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	defer stop()
	var r response
	if err := c.in.Decode(&r); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", errors.New("the keeper ended without a word")
	}
	return r.Reason, nil
}
