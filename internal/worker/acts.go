//go:build linux || freebsd

package worker

import (
	"context"
	"os"
	"strconv"
	"time"

	"skep/internal/console"
	"skep/internal/hypervisor"
	"skep/internal/qmp"
	"skep/internal/screen"
)

// Act is what a worker can be asked for.
type Act uint16

// The acts. The table below says what each is.
const (
	Connect Act = 1 + iota
	Listen
	Words
	Trim
	Follow
	ServeConsole
	JoinConsole
	ConsoleSaid
	SettleConsole
	EndConsole
	Relay
	Capture
	Hands
	Memory
	ForgetWords // up to here none needs a hypervisor that is connected to
	QueryStatus
	Cont
	Stop
	SystemPowerdown
	Quit
	Reset
	AddVNC
	SetVNCPassword
	Screenshot
	LastIOError
	Written
	Snapshot
	IgnoreShared
	SaveTo
	RestoreFrom
	Key
	Button
	Point
	ScreenSize
	Dump
	BlockSize
	BlockResize
	InsertMedium
	EjectMedium
	ActivateDisks
	lastAct
)

// patience bounds an act that the keeper sets no time for.
const patience = 10 * time.Second

// An act is one row: how many descriptors come with it, and what is done. It answers by Nums and Texts.
type act struct {
	name  string
	files int
	do    func(w *worker, r call) (Message, error)
}

// call is a request as it came: files that are kept are set to nil.
type call struct {
	ctx context.Context
	Message
	files []*os.File
}

// most is how many descriptors a message may bring.
const most = 3

// acts is the table of all that a worker does for its keeper.
var acts = [lastAct]act{
	Connect: {"connect", 1, (*worker).connect},
	Listen:  {"stderr", 2, (*worker).listen},
	Words:   {"words", 0, (*worker).lastWords},
	Trim: {"trim", 2, func(_ *worker, r call) (out Message, err error) {
		return out, console.TrimFile(r.files[0], r.files[1], int64(min(r.Nums[0], 1<<40)))
	}},
	ForgetWords:   {"forget-words", 0, (*worker).forgetWords},
	Follow:        {"stderr-log", 1, (*worker).followLog},
	ServeConsole:  {"console", 3, (*worker).serveConsole},
	JoinConsole:   {"console-client", 1, (*worker).joinConsole},
	ConsoleSaid:   {"console-said", 0, (*worker).consoleSaid},
	SettleConsole: {"console-settle", 0, (*worker).settleConsole},
	EndConsole:    {"console-end", 0, (*worker).endConsole},
	Relay:         {"relay", 2, (*worker).relay},
	Capture:       {"capture", 2, (*worker).capture},
	Hands:         {"hands", 2, (*worker).hands},
	Memory:        {"memory", 2, (*worker).memory},

	QueryStatus: {"query-status", 0, func(w *worker, r call) (out Message, err error) {
		s, err := w.qmp.QueryStatus(r.ctx)
		out.Nums[0], out.Texts[0] = number(s.Running), string(s.State)
		return out, err
	}},
	Cont:            {"cont", 0, plainly((*qmp.Client).Cont)},
	Stop:            {"stop", 0, plainly((*qmp.Client).Stop)},
	SystemPowerdown: {"system_powerdown", 0, plainly((*qmp.Client).SystemPowerdown)},
	Quit:            {"quit", 0, plainly((*qmp.Client).Quit)},
	Reset:           {"system_reset", 0, plainly((*qmp.Client).Reset)},
	AddVNC: {"add_client", 1, func(w *worker, r call) (out Message, err error) {
		return out, w.qmp.AddVNC(r.ctx, r.files[0], false)
	}},
	SetVNCPassword: {"set_password", 0, func(w *worker, r call) (out Message, err error) {
		return out, w.qmp.SetVNCPassword(r.ctx, r.Texts[0])
	}},
	Screenshot: {"screenshot", 3, (*worker).screenshot},
	LastIOError: {"query-block", 0, func(w *worker, r call) (out Message, err error) {
		return eventMessage(Answer, w.qmp.LastIOError(r.ctx)), nil
	}},
	Written: {"query-blockstats", 0, func(w *worker, r call) (out Message, err error) {
		written, err := w.qmp.Written(r.ctx)
		out.Nums[0] = number(written)
		return out, err
	}},
	IgnoreShared: {"migrate-set-capabilities", 0, plainly((*qmp.Client).IgnoreShared)},
	SaveTo: {"migrate", 1, func(w *worker, r call) (out Message, err error) {
		return out, w.qmp.SaveTo(r.ctx, r.files[0])
	}},
	RestoreFrom: {"migrate-incoming", 1, func(w *worker, r call) (out Message, err error) {
		return out, w.qmp.RestoreFrom(r.ctx, r.files[0])
	}},
	ActivateDisks: {"blockdev-set-active", 0, plainly((*qmp.Client).ActivateDisks)},
	Key: {"input-key", 0, func(w *worker, r call) (out Message, err error) {
		return out, w.qmp.Key(r.ctx, r.Texts[0], r.Nums[0] != 0)
	}},
	Button: {"input-button", 0, func(w *worker, r call) (out Message, err error) {
		return out, w.qmp.Button(r.ctx, r.Texts[0], r.Nums[0] != 0)
	}},
	Point: {"input-point", 0, func(w *worker, r call) (out Message, err error) {
		const most = 1 << 16
		n := func(i int) int { return int(min(r.Nums[i], most)) }
		return out, w.qmp.Point(r.ctx, n(0), n(1), n(2), n(3))
	}},
	ScreenSize: {"screen-size", 2, (*worker).screenSize},
	Dump: {"dump-guest-memory", 1, func(w *worker, r call) (out Message, err error) {
		return out, w.qmp.Dump(r.ctx, r.files[0], r.Nums[0] != 0)
	}},
	BlockSize: {"query-block-size", 0, func(w *worker, r call) (out Message, err error) {
		size, err := w.qmp.BlockSize(r.ctx, diskNode(r.Nums[0]))
		out.Nums[0] = uint64(size)
		return out, err
	}},
	BlockResize: {"block_resize", 0, func(w *worker, r call) (out Message, err error) {
		return out, w.qmp.BlockResize(r.ctx, diskNode(r.Nums[0]), int64(r.Nums[1]))
	}},
	InsertMedium: {"blockdev-insert-medium", 1, func(w *worker, r call) (out Message, err error) {
		return out, w.qmp.ChangeMedium(r.ctx, int(r.Nums[0]), r.Texts[0], r.files[0])
	}},
	EjectMedium: {"eject", 0, func(w *worker, r call) (out Message, err error) {
		return out, w.qmp.ChangeMedium(r.ctx, int(r.Nums[0]), r.Texts[0], nil)
	}},
	Snapshot: {"snapshot", 0, func(w *worker, r call) (out Message, err error) {
		var nodes []string
		for i := range 64 {
			if r.Nums[0]&(1<<i) != 0 {
				nodes = append(nodes, diskNode(uint64(i)))
			}
		}
		return out, w.qmp.Snapshot(r.ctx, r.Texts[0], r.Texts[1], nodes)
	}},
}

// diskNode is the node of a cell's disk of that number.
func diskNode(i uint64) string { return "disk" + strconv.FormatUint(i, 10) }

// plainly is an act that has neither arguments nor results.
func plainly(do func(*qmp.Client, context.Context) error) func(*worker, call) (Message, error) {
	return func(w *worker, r call) (Message, error) {
		return Message{}, do(w.qmp, r.ctx)
	}
}

// connect greets the hypervisor at the other end of a connection.
func (w *worker) connect(r call) (out Message, err error) {
	c := stream{r.files[0]}
	r.files[0] = nil // kept
	w.qmp, err = qmp.New(r.ctx, c)
	if err == nil {
		close(w.connected)
		go w.follow(w.qmp.Events())
	}
	return out, err
}

// screenshot looks at the screen as a viewer would, past the password: files are both ends of a connection,
// and where the picture goes.
func (w *worker) screenshot(r call) (out Message, err error) {
	if err := w.qmp.AddVNC(r.ctx, r.files[1], true); err != nil {
		return out, err
	}
	r.files[1].Close()
	img, err := screen.Capture(r.ctx, stream{r.files[0]}, "")
	if err == nil {
		err = screen.WritePNG(r.files[2], img)
	}
	w.lessen()
	return out, err
}

// screenSize is that of the screen in pixels, found as a screenshot is.
func (w *worker) screenSize(r call) (out Message, err error) {
	if err := w.qmp.AddVNC(r.ctx, r.files[1], true); err != nil {
		return out, err
	}
	r.files[1].Close()
	img, err := screen.Capture(r.ctx, stream{r.files[0]}, "")
	if err == nil {
		out.Nums[0], out.Nums[1] = uint64(img.Bounds().Dx()), uint64(img.Bounds().Dy())
	}
	w.lessen()
	return out, err
}

// Events as numbers, so that nothing of a name goes over the wire.
var eventKinds = []hypervisor.EventKind{"", hypervisor.EventShutdown, hypervisor.EventReset, hypervisor.EventStop, hypervisor.EventResume,
	hypervisor.EventPowerdown, hypervisor.EventPanicked, hypervisor.EventIOError, hypervisor.EventWatchdog}

func eventMessage(k Kind, e hypervisor.Event) Message {
	m := Message{Kind: k, Texts: [4]string{e.Reason, e.Node}}
	for i, kind := range eventKinds {
		if kind == e.Kind {
			m.Nums[0] = uint64(i)
		}
	}
	for i, b := range []bool{e.Guest, e.NoSpace, e.Read, e.Stopped} {
		m.Nums[1] |= number(b) << i
	}
	return m
}

// event reads one; it is false where the worker says what no worker says.
func (m Message) event() (e hypervisor.Event, ok bool) {
	if m.Nums[0] == 0 || m.Nums[0] >= uint64(len(eventKinds)) || m.Nums[1] > 15 || len(m.Texts[0]) > hypervisor.MaxText || len(m.Texts[1]) > hypervisor.MaxText {
		return e, false
	}
	bit := func(i int) bool { return m.Nums[1]&(1<<i) != 0 }
	return hypervisor.Event{Kind: eventKinds[m.Nums[0]], Guest: bit(0), NoSpace: bit(1), Read: bit(2), Stopped: bit(3),
		Reason: m.Texts[0], Node: m.Texts[1]}, true
}

func number(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
