//go:build linux || freebsd

package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/console"
	"skep/internal/memdump"
	"skep/internal/screen"
)

// mostRelays is how many viewers and debuggers a worker carries bytes for at a time.
const mostRelays = 24

var (
	errNoConsole = errors.New("it was handed no console")
	errNoRoom    = errors.New("there are too many viewers")
)

// serveConsole takes over the host's end of the serial console, and its log, opened twice as for TrimFile: Nums[0]
// is how large that becomes, Nums[1] whether somebody is to see all that is said before he comes.
func (w *worker) serveConsole(r call) (out Message, err error) {
	if w.console != nil {
		return out, errors.New("it has a console")
	}
	most := int64(min(r.Nums[0], 1<<40))
	device, f, end := r.files[0], r.files[1], r.files[2]
	clear(r.files) // kept
	log := &console.BoundedLog{W: end, Trim: func() error { return console.TrimFile(f, end, most) }, Max: most}
	w.console = console.Serve(device, log, r.Nums[1] != 0)
	return out, nil
}

// joinConsole adds somebody who reads and writes on the console.
func (w *worker) joinConsole(r call) (out Message, err error) {
	if w.console == nil {
		return out, errNoConsole
	}
	if err = w.console.Join(stream{r.files[0]}); err == nil {
		r.files[0] = nil // kept
	}
	return out, err
}

// consoleSaid is how many bytes the guest has said.
func (w *worker) consoleSaid(call) (out Message, err error) {
	if w.console == nil {
		return out, errNoConsole
	}
	out.Nums[0] = uint64(w.console.Said())
	return out, nil
}

// settleConsole waits for the first who joins, and then keeps nothing for one any more.
func (w *worker) settleConsole(r call) (out Message, err error) {
	if w.console == nil {
		return out, errNoConsole
	}
	w.console.Settle(left(r.ctx))
	return out, nil
}

// endConsole reads what is there still, and has who has joined hear all of it.
func (w *worker) endConsole(r call) (out Message, err error) {
	if w.console == nil {
		return out, errNoConsole
	}
	w.console.Close(left(r.ctx))
	return out, nil
}

// left is most of the time that there is for a request.
func left(ctx context.Context) time.Duration {
	at, _ := ctx.Deadline()
	return time.Until(at) * 3 / 4
}

// relay carries bytes between a viewer, or a debugger, and where the hypervisor listens.
func (w *worker) relay(r call) (out Message, err error) {
	select {
	case w.relays <- struct{}{}:
	default:
		return out, errNoRoom
	}
	viewer, inner := stream{r.files[0]}, stream{r.files[1]}
	clear(r.files) // kept
	go func() {
		defer func() { <-w.relays }()
		_ = screen.Proxy(context.Background(), viewer, inner)
	}()
	return out, nil
}

// capture looks at the screen as a viewer does, with the password in Texts[0]. The picture goes into a file that
// is large enough; Nums[0] says how much of it is the picture.
func (w *worker) capture(r call) (out Message, err error) {
	img, err := screen.Capture(r.ctx, stream{r.files[0]}, r.Texts[0])
	if err == nil {
		n := &counter{w: r.files[1]}
		err = screen.WritePNG(n, img)
		out.Nums[0] = n.n
	}
	w.lessen()
	return out, err
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n uint64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += uint64(n)
	return n, err
}

// handSize is that of one of the things that hands does: keysym, x, y, milliseconds to rest, buttons, down.
const handSize = 16

func appendHand(b []byte, h screen.Hand) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, h.Keysym)
	b = le.AppendUint16(b, uint16(min(max(h.X, 0), 1<<16-1)))
	b = le.AppendUint16(b, uint16(min(max(h.Y, 0), 1<<16-1)))
	b = le.AppendUint32(b, uint32(h.Rest.Milliseconds()))
	return append(b, h.Buttons, byte(number(h.Down)), 0, 0)
}

func parseHand(b []byte) screen.Hand {
	le := binary.LittleEndian
	return screen.Hand{Keysym: le.Uint32(b), X: int(le.Uint16(b[4:])), Y: int(le.Uint16(b[6:])),
		Rest: time.Duration(le.Uint32(b[8:])) * time.Millisecond, Buttons: b[12], Down: b[13] != 0}
}

// hands has a viewer's hands do what the keeper writes to a pipe. Nums[0] is 1 where a place of it, Nums[1] and
// Nums[2], is not on the screen, which is packed into Nums[3].
func (w *worker) hands(r call) (out Message, err error) {
	var all []screen.Hand
	b := make([]byte, handSize)
	for {
		if _, err = io.ReadFull(r.files[1], b); err != nil {
			break
		}
		all = append(all, parseHand(b))
	}
	if !errors.Is(err, io.EOF) {
		return out, err
	}
	err = screen.Hands(r.ctx, stream{r.files[0]}, r.Texts[0], all)
	var outside *screen.OutsideError
	if errors.As(err, &outside) {
		out.Nums = [4]uint64{1, uint64(outside.X), uint64(outside.Y), uint64(outside.Width)<<32 | uint64(outside.Height)}
		err = nil
	}
	return out, err
}

// memory writes a guest's memory, as package memdump reads it: what is below Nums[0], and Nums[1] bytes from Nums[2]
// on. The file is the virtual machine's node, of which a place is one of that memory. Up to FreeBSD 14 the kernel asks
// at each read whether the reader's jail has allow.vmm; Nums[0] of the answer is 1 where it says no.
func (w *worker) memory(r call) (out Message, err error) {
	if _, err := r.files[0].ReadAt(make([]byte, 1), 0); errors.Is(err, unix.EPERM) {
		out.Nums[0] = 1
		return out, nil
	}
	return out, memdump.Pour(r.ctx, r.files[1], r.files[0], MemoryOf(int64(r.Nums[0]), int64(r.Nums[1]), int64(r.Nums[2])))
}

// MemoryOf are the ranges of a guest's memory: what is below low, and high bytes from that address on.
func MemoryOf(low, high, from int64) []memdump.Range {
	ranges := []memdump.Range{{From: 0, Size: low}}
	if high > 0 {
		ranges = append(ranges, memdump.Range{From: from, Size: high})
	}
	return ranges
}
