package screen

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"time"
)

// Hand is one thing that a viewer's hand does: a key by its X keysym, or where Keysym is 0 the pointer,
// with the buttons that are down as a mask.
type Hand struct {
	Keysym  uint32
	Down    bool
	X, Y    int
	Buttons uint8
	// Rest is how long to wait after it.
	Rest time.Duration
}

// Messages of a viewer's hands (RFC 6143, 7.5.4 and 7.5.5).
const (
	msgKey     = 4
	msgPointer = 5
)

// Hands has a viewer's hands do something, and leaves the connection to the caller to close. A place that
// is not on the screen is refused before anything is done.
func Hands(ctx context.Context, conn net.Conn, password string, hands []Hand) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c := &client{r: bufio.NewReader(conn), w: conn}
	version, err := c.version()
	if err == nil {
		err = c.security(version, password)
	}
	if err == nil {
		err = c.init()
	}
	if err != nil {
		return fmt.Errorf("cannot reach keyboard and pointer: %w", err)
	}
	for _, h := range hands {
		if h.Keysym == 0 && (h.X >= c.width || h.Y >= c.height) {
			return &OutsideError{h.X, h.Y, c.width, c.height}
		}
	}
	for _, h := range hands {
		if _, err := conn.Write(h.bytes()); err != nil {
			return err
		}
		select {
		case <-time.After(h.Rest):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (h Hand) bytes() []byte {
	if h.Keysym != 0 {
		down := byte(0)
		if h.Down {
			down = 1
		}
		return binary.BigEndian.AppendUint32([]byte{msgKey, down, 0, 0}, h.Keysym)
	}
	msg := binary.BigEndian.AppendUint16([]byte{msgPointer, h.Buttons}, uint16(h.X))
	return binary.BigEndian.AppendUint16(msg, uint16(h.Y))
}

// OutsideError is a place that is not on the screen.
type OutsideError struct{ X, Y, Width, Height int }

func (o *OutsideError) Error() string {
	return fmt.Sprintf("%d,%d is outside of the screen, which is %d by %d", o.X, o.Y, o.Width, o.Height)
}
