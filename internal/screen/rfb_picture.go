package screen

import (
	"encoding/binary"
	"fmt"
	"io"
)

// request asks for all of the screen, as it is now.
func (c *client) request() error {
	const wholeScreen = 0 // not incremental
	msg := []byte{msgRequest, wholeScreen, 0, 0, 0, 0}
	msg = binary.BigEndian.AppendUint16(msg, uint16(c.width))
	msg = binary.BigEndian.AppendUint16(msg, uint16(c.height))
	_, err := c.w.Write(msg)
	return err
}

// update reads messages up to the end of one update.
func (c *client) update() error {
	for range maxUpdates {
		kind, err := c.r.ReadByte()
		if err != nil {
			return err
		}
		switch kind {
		case msgUpdate:
			return c.rectangles()
		case msgColourMap:
			var head [5]byte
			if _, err = io.ReadFull(c.r, head[:]); err == nil {
				_, err = c.r.Discard(6 * int(binary.BigEndian.Uint16(head[3:])))
			}
		case msgBell:
		case msgCutText:
			if _, err = c.r.Discard(3); err == nil {
				_, err = c.text()
			}
		default:
			err = fmt.Errorf("%w: message %d", ErrHostile, kind)
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: no update", ErrHostile)
}

func (c *client) rectangles() error {
	var head [3]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return err
	}
	// Overlapping rectangles cost time, not memory, and the deadline ends that.
	for range binary.BigEndian.Uint16(head[1:]) {
		var rect [12]byte
		if _, err := io.ReadFull(c.r, rect[:]); err != nil {
			return err
		}
		u16 := func(i int) int { return int(binary.BigEndian.Uint16(rect[i:])) }
		x, y, w, h := u16(0), u16(2), u16(4), u16(6)
		switch e := int32(binary.BigEndian.Uint32(rect[8:])); e {
		case encodingRaw:
		case encodingSize:
			if err := c.resize(w, h); err != nil {
				return err
			}
			continue
		default:
			return fmt.Errorf("%w: encoding %d, which was not asked for", ErrHostile, e)
		}
		if x+w > c.width || y+h > c.height {
			return fmt.Errorf("%w: a rectangle outside of the screen", ErrHostile)
		}
		if err := c.raw(x, y, w, h); err != nil {
			return err
		}
	}
	return nil
}

// raw reads the pixels of one rectangle.
func (c *client) raw(x, y, w, h int) error {
	row := make([]byte, 4*w)
	for ; h > 0; h, y = h-1, y+1 {
		if _, err := io.ReadFull(c.r, row); err != nil {
			return err
		}
		for i := range w {
			r, g, b := c.format.colour(row[4*i:])
			at := y*c.width + x + i
			copy(c.img.Pix[4*at:], []byte{r, g, b, 255})
			if !c.seen[at] {
				c.seen[at] = true
				c.unseen--
			}
		}
	}
	return nil
}
