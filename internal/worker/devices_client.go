//go:build linux || freebsd

package worker

import (
	"context"
	"errors"
	"image"
	"os"
	"time"

	"skep/internal/screen"
)

// Follow hands a worker a log that the hypervisor writes itself, which is of interest from that byte on.
func (l *Link) Follow(ctx context.Context, log *os.File, from int64) error {
	_, err := l.ask(ctx, Message{Act: Follow, Nums: [4]uint64{uint64(from)}}, log)
	return err
}

// ServeConsole hands a worker the host's end of the serial console, and its log, opened twice as TrimFile takes it,
// which becomes at most max long. With keep, who joins first hears what was said before.
func (l *Link) ServeConsole(ctx context.Context, device, log, end *os.File, max int64, keep bool) error {
	_, err := l.ask(ctx, Message{Act: ServeConsole, Nums: [4]uint64{uint64(max), number(keep)}}, device, log, end)
	return err
}

// JoinConsole has somebody read and write on the console.
func (c *Client) JoinConsole(ctx context.Context, conn *os.File) error {
	_, err := c.ask(ctx, Message{Act: JoinConsole}, conn)
	return err
}

// ConsoleSaid is how many bytes the guest has said.
func (c *Client) ConsoleSaid(ctx context.Context) (uint64, error) {
	m, err := c.ask(ctx, Message{Act: ConsoleSaid})
	return m.Nums[0], err
}

// SettleConsole waits, within most of that time, for the first to join, and has nothing kept for one any more.
func (c *Client) SettleConsole(ctx context.Context, wait time.Duration) error {
	return c.within(ctx, wait, SettleConsole)
}

// EndConsole has who has joined hear what is left, within most of that time.
func (c *Client) EndConsole(ctx context.Context, wait time.Duration) error {
	return c.within(ctx, wait, EndConsole)
}

func (c *Client) within(ctx context.Context, wait time.Duration, a Act) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return c.do(ctx, a)
}

// Relay has a worker carry bytes between two connections until one of them ends.
func (c *Client) Relay(ctx context.Context, viewer, inner *os.File) error {
	_, err := c.ask(ctx, Message{Act: Relay}, viewer, inner)
	return err
}

// Capture writes a PNG of the screen at the other end of a connection to a file that has room for it, and says how
// much of that it is.
func (c *Client) Capture(ctx context.Context, conn, png *os.File, password string) (size int64, err error) {
	m, err := c.ask(ctx, Message{Act: Capture, Texts: [4]string{password}}, conn, png)
	if err == nil && m.Nums[0] > 1<<40 {
		err = errors.New("it is no picture that it says to have made")
	}
	return int64(m.Nums[0]), err
}

// Hands has keyboard and pointer do something at the other end of a connection. A place that is not on the screen
// is a screen.OutsideError.
func (c *Client) Hands(ctx context.Context, conn *os.File, password string, hands []screen.Hand) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	var b []byte
	for _, h := range hands {
		b = appendHand(b, h)
	}
	if at, ok := ctx.Deadline(); ok {
		_ = w.SetWriteDeadline(at)
	}
	go func() {
		_, _ = w.Write(b)
		w.Close()
	}()
	m, err := c.ask(ctx, Message{Act: Hands, Texts: [4]string{password}}, conn, r)
	if err == nil && m.Nums[0] == 1 {
		const most = 1<<16 - 1
		side := func(n uint64) int { return int(min(n, most)) }
		size := image.Pt(side(m.Nums[3]>>32), side(m.Nums[3]&(1<<32-1)))
		return &screen.OutsideError{X: side(m.Nums[1]), Y: side(m.Nums[2]), Width: size.X, Height: size.Y}
	}
	return err
}

// ErrMayNot is a kernel that lets no worker read a guest's memory.
var ErrMayNot = errors.New("the kernel lets a jail without allow.vmm read no guest's memory")

// Memory writes a guest's memory to a descriptor, as package memdump reads it: what is below low, and high bytes from
// that address on. It may take as long as the context says. With ErrMayNot, nothing is written.
func (c *Client) Memory(ctx context.Context, node, w *os.File, low, high, from int64) error {
	m, err := c.ask(ctx, Message{Act: Memory, Nums: [4]uint64{uint64(low), uint64(high), uint64(from)}}, node, w)
	if err == nil && m.Nums[0] != 0 {
		return ErrMayNot
	}
	return err
}
