package screen

import "encoding/binary"

// pixelFormat is how a server packs a pixel (RFC 6143, 7.4).
type pixelFormat struct {
	bits, depth          byte
	bigEndian, trueColor bool
	max                  [3]uint16 // red, green, blue
	shift                [3]byte
}

// trueColour is what we ask for where a server has something else.
var trueColour = pixelFormat{bits: 32, depth: 24, trueColor: true, max: [3]uint16{255, 255, 255}, shift: [3]byte{16, 8, 0}}

func parsePixelFormat(b [16]byte) pixelFormat {
	u16 := func(i int) uint16 { return binary.BigEndian.Uint16(b[i:]) }
	return pixelFormat{b[0], b[1], b[2] != 0, b[3] != 0, [3]uint16{u16(4), u16(6), u16(8)}, [3]byte{b[10], b[11], b[12]}}
}

func (f pixelFormat) bytes() []byte {
	b := []byte{f.bits, f.depth, 0, 0}
	if f.bigEndian {
		b[2] = 1
	}
	if f.trueColor {
		b[3] = 1
	}
	for _, m := range f.max {
		b = binary.BigEndian.AppendUint16(b, m)
	}
	return append(b, f.shift[0], f.shift[1], f.shift[2], 0, 0, 0)
}

// plain: 32 bits a pixel, eight of them a colour. All that QEMU and bhyve
// offer by themselves is.
func (f pixelFormat) plain() bool {
	ok := f.bits == 32 && f.trueColor
	for i := range 3 {
		ok = ok && f.max[i] == 255 && f.shift[i] <= 24
	}
	return ok
}

// colour unpacks one plain pixel.
func (f pixelFormat) colour(p []byte) (r, g, b byte) {
	v := binary.LittleEndian.Uint32(p)
	if f.bigEndian {
		v = binary.BigEndian.Uint32(p)
	}
	return byte(v >> f.shift[0]), byte(v >> f.shift[1]), byte(v >> f.shift[2])
}
