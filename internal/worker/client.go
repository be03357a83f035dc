//go:build linux || freebsd

package worker

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"skep/internal/hypervisor"
	"skep/internal/qmp"
)

// mostEvents is how many events wait for the keeper; then the oldest are dropped: what is true now can always
// be asked for.
const mostEvents = 64

// mostWords bounds what is told of a hypervisor's standard error.
const mostWords = 3 << 10

// Client is a keeper's way to a hypervisor, over whatever worker there is. Its methods are those of
// qmp.Client.
type Client struct {
	events chan hypervisor.Event
	lost   atomic.Uint64

	mu     sync.Mutex
	link   *Link
	change chan struct{} // closed when link changes
	gone   bool          // events is closed
	over   bool
}

// NewClient has no worker yet.
func NewClient() *Client {
	return &Client{events: make(chan hypervisor.Event, mostEvents), change: make(chan struct{})}
}

// ErrOver: the keeper has let go of the hypervisor.
var ErrOver = errors.New("the hypervisor is let go of")

// Use has requests go to another worker, or wait for one where l is nil.
func (c *Client) Use(l *Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.link = l
		close(c.change)
		c.change = make(chan struct{})
	}
}

// Close has no more requests go anywhere.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.over = true
		close(c.change)
	}
	c.hangUp()
}

func (c *Client) hangUp() {
	if !c.gone {
		c.gone = true
		close(c.events)
	}
}

// Events delivers what the hypervisor does, in order. It is closed when that hangs up.
func (c *Client) Events() <-chan hypervisor.Event { return c.events }

// Heard takes what a worker says unasked, for NewLink.
func (c *Client) Heard(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	if m.Kind == Gone {
		c.hangUp()
		return
	}
	e, ok := m.event()
	if !ok {
		return
	}
	for {
		select {
		case c.events <- e:
			return
		default:
		}
		select {
		case <-c.events:
			c.lost.Add(1)
		default:
		}
	}
}

// ask asks the worker that there is, or the next one.
func (c *Client) ask(ctx context.Context, m Message, files ...*os.File) (Message, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	for {
		c.mu.Lock()
		l, change, over := c.link, c.change, c.over
		c.mu.Unlock()
		switch {
		case over:
			return Message{}, fmt.Errorf("%s: %w", acts[m.Act].name, ErrOver)
		case l != nil:
			return l.ask(ctx, m, files...)
		}
		select {
		case <-change:
		case <-ctx.Done():
			return Message{}, fmt.Errorf("%s: there is no worker: %w", acts[m.Act].name, ctx.Err())
		}
	}
}

func (c *Client) do(ctx context.Context, a Act) error {
	_, err := c.ask(ctx, Message{Act: a})
	return err
}

// Connect has a worker greet the hypervisor at the other end of a connection.
func (l *Link) Connect(ctx context.Context, f *os.File) error {
	_, err := l.ask(ctx, Message{Act: Connect}, f)
	return err
}

// Listen hands a worker the hypervisor's standard error, and its log, which becomes at most max long.
func (l *Link) Listen(ctx context.Context, pipe, log *os.File, max int64) error {
	_, err := l.ask(ctx, Message{Act: Listen, Nums: [4]uint64{uint64(max)}}, pipe, log)
	return err
}

// Trim has a worker keep a log below its size; end is the same log, open for appending.
func (l *Link) Trim(ctx context.Context, log, end *os.File, max int64) error {
	_, err := l.ask(ctx, Message{Act: Trim, Nums: [4]uint64{uint64(max)}}, log, end)
	return err
}

// Words are the last that the hypervisor said on standard error, and whether it said there that its guest met
// a triple fault. Without a worker there are none.
func (c *Client) Words(ctx context.Context) (words string, triple bool) {
	m, err := c.ask(ctx, Message{Act: Words})
	if err != nil || m.Nums[0] > 1 {
		return "", false
	}
	return hypervisor.LastOf(m.Texts[0], mostWords), m.Nums[0] == 1
}

// ForgetWords forgets a triple fault: the guest was reset and runs anew.
func (c *Client) ForgetWords(ctx context.Context) error { return c.do(ctx, ForgetWords) }

// QueryStatus asks what the guest is doing.
func (c *Client) QueryStatus(ctx context.Context) (qmp.Status, error) {
	m, err := c.ask(ctx, Message{Act: QueryStatus})
	return qmp.Status{Running: m.Nums[0] == 1, State: hypervisor.RunState(hypervisor.Clean(m.Texts[0]))}, err
}

// Cont lets the guest run.
func (c *Client) Cont(ctx context.Context) error { return c.do(ctx, Cont) }

// Stop pauses the guest.
func (c *Client) Stop(ctx context.Context) error { return c.do(ctx, Stop) }

// SystemPowerdown presses the ACPI power button.
func (c *Client) SystemPowerdown(ctx context.Context) error { return c.do(ctx, SystemPowerdown) }

// Quit ends the hypervisor.
func (c *Client) Quit(ctx context.Context) error { return c.do(ctx, Quit) }

// Reset resets the guest and leaves it waiting for Cont.
func (c *Client) Reset(ctx context.Context) error { return c.do(ctx, Reset) }

// AddVNC makes the other end of a connected socket a viewer of the screen.
func (c *Client) AddVNC(ctx context.Context, viewer *os.File) error {
	_, err := c.ask(ctx, Message{Act: AddVNC}, viewer)
	return err
}

// SetVNCPassword sets the password of the screen.
func (c *Client) SetVNCPassword(ctx context.Context, password string) error {
	_, err := c.ask(ctx, Message{Act: SetVNCPassword, Texts: [4]string{password}})
	return err
}

// Screenshot writes a PNG of the screen to a file. The other two are the ends of a connection.
func (c *Client) Screenshot(ctx context.Context, ours, theirs, png *os.File) error {
	_, err := c.ask(ctx, Message{Act: Screenshot}, ours, theirs, png)
	return err
}

// ScreenSize is the screen's in pixels. The files are the ends of a connection.
func (c *Client) ScreenSize(ctx context.Context, ours, theirs *os.File) (image.Point, error) {
	m, err := c.ask(ctx, Message{Act: ScreenSize}, ours, theirs)
	const most = 1 << 14
	return image.Pt(int(min(m.Nums[0], most)), int(min(m.Nums[1], most))), err
}

// Key presses or lets go of a key, by QEMU's name of it.
func (c *Client) Key(ctx context.Context, name string, down bool) error {
	_, err := c.ask(ctx, Message{Act: Key, Nums: [4]uint64{number(down)}, Texts: [4]string{name}})
	return err
}

// Button presses or lets go of a button of the pointer.
func (c *Client) Button(ctx context.Context, name string, down bool) error {
	_, err := c.ask(ctx, Message{Act: Button, Nums: [4]uint64{number(down)}, Texts: [4]string{name}})
	return err
}

// Point moves the pointer to a pixel of a screen of that size.
func (c *Client) Point(ctx context.Context, x, y, width, height int) error {
	_, err := c.ask(ctx, Message{Act: Point, Nums: [4]uint64{uint64(x), uint64(y), uint64(width), uint64(height)}})
	return err
}

// Dump has the hypervisor write its guest's memory to a descriptor. It may take as long as the context says.
func (c *Client) Dump(ctx context.Context, w *os.File, kdump bool) error {
	_, err := c.ask(ctx, Message{Act: Dump, Nums: [4]uint64{number(kdump)}}, w)
	return err
}

// LastIOError is what is still known of the error that a guest waits for.
func (c *Client) LastIOError(ctx context.Context) hypervisor.Event {
	m, err := c.ask(ctx, Message{Act: LastIOError})
	if e, ok := m.event(); err == nil && ok && e.Kind == hypervisor.EventIOError {
		return e
	}
	return hypervisor.Event{Kind: hypervisor.EventIOError, Stopped: true}
}

// Written says whether the guest has changed any of its disks.
func (c *Client) Written(ctx context.Context) (bool, error) {
	m, err := c.ask(ctx, Message{Act: Written})
	return m.Nums[0] != 0, err
}

// BlockSize is the size of the cell's disk of that number, as the hypervisor says.
func (c *Client) BlockSize(ctx context.Context, disk int) (int64, error) {
	m, err := c.ask(ctx, Message{Act: BlockSize, Nums: [4]uint64{uint64(disk)}})
	if err == nil && m.Nums[0] > 1<<62 {
		err = errors.New("the hypervisor says a size that no disk has")
	}
	return int64(m.Nums[0]), err
}

// BlockResize makes it that large.
func (c *Client) BlockResize(ctx context.Context, disk int, size int64) error {
	_, err := c.ask(ctx, Message{Act: BlockResize, Nums: [4]uint64{uint64(disk), uint64(size)}})
	return err
}

// ChangeMedium puts a file into the cell's drive of that number, which was handed in by that name, or nothing.
func (c *Client) ChangeMedium(ctx context.Context, disk int, name string, f *os.File) error {
	m := Message{Act: EjectMedium, Nums: [4]uint64{uint64(disk)}, Texts: [4]string{name}}
	if f == nil {
		_, err := c.ask(ctx, m)
		return err
	}
	m.Act = InsertMedium
	_, err := c.ask(ctx, m, f)
	return err
}

// snapshotWait bounds a snapshot: all of a guest's memory goes to a disk, or comes from one. The hypervisor answers
// nothing else meanwhile.
const snapshotWait = 10 * time.Minute

// Snapshot saves disks and memory, goes back to them or removes them; disks are numbers of the cell's.
func (c *Client) Snapshot(ctx context.Context, do, tag string, disks []int) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotWait)
	defer cancel()
	m := Message{Act: Snapshot, Texts: [4]string{do, tag}}
	for _, d := range disks {
		m.Nums[0] |= 1 << d
	}
	_, err := c.ask(ctx, m)
	return err
}

// moveWait bounds how long it may take until a guest's state is written or read.
const moveWait = 5 * time.Minute

// IgnoreShared has what is saved and restored leave out memory that is a file shared with others.
func (c *Client) IgnoreShared(ctx context.Context) error { return c.do(ctx, IgnoreShared) }

// ActivateDisks has QEMU take over the disks of a guest whose state it has read.
func (c *Client) ActivateDisks(ctx context.Context) error { return c.do(ctx, ActivateDisks) }

// SaveTo writes the state of all devices to a pipe, and RestoreFrom reads it from one.
func (c *Client) SaveTo(ctx context.Context, pipe *os.File) error { return c.move(ctx, SaveTo, pipe) }

// RestoreFrom is the other way.
func (c *Client) RestoreFrom(ctx context.Context, pipe *os.File) error {
	return c.move(ctx, RestoreFrom, pipe)
}

func (c *Client) move(ctx context.Context, a Act, pipe *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, moveWait)
	defer cancel()
	_, err := c.ask(ctx, Message{Act: a}, pipe)
	return err
}
