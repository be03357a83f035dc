package screen

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"net"
	"os"
	"strings"
	"time"
	"unicode"
)

// patience bounds a capture whose context has no deadline.
const patience = 10 * time.Second

// Messages and encodings of RFC 6143.
const (
	msgSetPixelFormat = 0
	msgSetEncodings   = 2
	msgRequest        = 3
	msgUpdate         = 0
	msgColourMap      = 1
	msgBell           = 2
	msgCutText        = 3
	encodingRaw       = 0
	encodingSize      = -223 // not pixels: the screen has another size from here on
)

// Bounds on what a server may send besides pixels.
const (
	maxText    = 1 << 16 // a name, a reason, a clipboard
	maxUpdates = 256     // messages until the picture is complete
	maxResizes = 16      // a guest that boots changes its mode a few times
)

// Capture takes one picture of the screen behind an RFB connection and leaves
// the connection to the caller to close. The password may be "" where the
// server asks for none.
func Capture(ctx context.Context, conn net.Conn, password string) (*image.NRGBA, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c := &client{r: bufio.NewReader(conn), w: conn}
	img, err := c.capture(password)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	case errors.Is(err, os.ErrDeadlineExceeded): // a moment before the context's own
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot take a picture of the screen: %w", err)
	}
	return img, nil
}

// client is the viewing end of one RFB connection.
type client struct {
	r *bufio.Reader
	w io.Writer

	width, height int
	resizes       int
	format        pixelFormat
	img           *image.NRGBA
	seen          []bool // a pixel each
	unseen        int
}

func (c *client) capture(password string) (*image.NRGBA, error) {
	version, err := c.version()
	if err != nil {
		return nil, err
	}
	if err := c.security(version, password); err != nil {
		return nil, err
	}
	if err := c.init(); err != nil {
		return nil, err
	}
	for range maxUpdates {
		if err := c.request(); err != nil {
			return nil, err
		}
		if err := c.update(); err != nil {
			return nil, err
		}
		if c.unseen == 0 {
			return c.img, nil
		}
	}
	return nil, fmt.Errorf("%w: %d updates, and %d pixels are missing", ErrHostile, maxUpdates, c.unseen)
}

// version agrees on a protocol version: 3, 7 or 8, for 3.3, 3.7 and 3.8.
func (c *client) version() (int, error) {
	var hello [12]byte
	if _, err := io.ReadFull(c.r, hello[:]); err != nil {
		return 0, err
	}
	var major, minor int
	if n, err := fmt.Sscanf(string(hello[:]), "RFB %03d.%03d\n", &major, &minor); n != 2 || err != nil || major != 3 {
		return 0, fmt.Errorf("%w: not RFB", ErrHostile)
	}
	switch {
	case minor >= 8:
		minor = 8
	case minor != 7:
		minor = 3 // what RFC 6143 says of all others
	}
	_, err := fmt.Fprintf(c.w, "RFB 003.%03d\n", minor)
	return minor, err
}

// init says that other viewers may stay, and learns what the screen is like.
func (c *client) init() error {
	const shared = 1
	if _, err := c.w.Write([]byte{shared}); err != nil {
		return err
	}
	var head [20]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return err
	}
	if err := c.resize(int(binary.BigEndian.Uint16(head[0:])), int(binary.BigEndian.Uint16(head[2:]))); err != nil {
		return err
	}
	if _, err := c.text(); err != nil { // the screen's name
		return err
	}
	c.format = parsePixelFormat([16]byte(head[4:]))
	if !c.format.plain() {
		// Only then: not every bhyve heeds the request.
		c.format = trueColour
		if _, err := c.w.Write(append([]byte{msgSetPixelFormat, 0, 0, 0}, trueColour.bytes()...)); err != nil {
			return err
		}
	}
	// Without the second, a screen that shrinks would never be complete.
	msg := []byte{msgSetEncodings, 0, 0, 2}
	for _, e := range []int32{encodingRaw, encodingSize} {
		msg = binary.BigEndian.AppendUint32(msg, uint32(e))
	}
	_, err := c.w.Write(msg)
	return err
}

// resize starts over with an empty picture.
func (c *client) resize(width, height int) error {
	if err := checkSize(width, height); err != nil {
		return err
	}
	if c.resizes++; c.resizes > maxResizes {
		return fmt.Errorf("%w: %d sizes", ErrHostile, c.resizes)
	}
	c.width, c.height = width, height
	c.img = image.NewNRGBA(image.Rect(0, 0, width, height))
	c.unseen = width * height
	c.seen = make([]bool, c.unseen)
	return nil
}

// text reads a length and as many bytes, bounded and fit for a terminal.
func (c *client) text() (string, error) {
	var length [4]byte
	if _, err := io.ReadFull(c.r, length[:]); err != nil {
		return "", err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxText {
		return "", fmt.Errorf("%w: a text of %d bytes", ErrHostile, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return "", err
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, string(b[:min(n, 256)])), nil
}

// refusal reads why the server says no.
func (c *client) refusal() error {
	why, err := c.text()
	if err != nil {
		return errors.New("the screen refused the viewer")
	}
	return fmt.Errorf("the screen refused the viewer: %s", why)
}
