package screen

import (
	"bufio"
	"fmt"
	"image"
	"io"
)

// DecodePPM reads a binary PPM (P6, 8 bits a channel) as QEMU's screendump
// writes it.
func DecodePPM(r io.Reader) (*image.NRGBA, error) {
	in := bufio.NewReader(r)
	var magic [2]byte
	if _, err := io.ReadFull(in, magic[:]); err != nil {
		return nil, fmt.Errorf("cannot read the picture: %w", err)
	}
	if string(magic[:]) != "P6" {
		return nil, fmt.Errorf("%w: not a PPM", ErrHostile)
	}
	var header [3]int // width, height, the largest value
	for i := range header {
		n, err := ppmNumber(in)
		if err != nil {
			return nil, err
		}
		header[i] = n
	}
	width, height := header[0], header[1]
	if err := checkSize(width, height); err != nil {
		return nil, err
	}
	if header[2] != 255 {
		return nil, fmt.Errorf("%w: %d shades", ErrHostile, header[2])
	}
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	row := make([]byte, 3*width)
	for y := range height {
		if _, err := io.ReadFull(in, row); err != nil {
			return nil, fmt.Errorf("cannot read the picture: it ends in row %d of %d: %w", y, height, err)
		}
		out := img.Pix[y*img.Stride:]
		for x := range width {
			out[4*x], out[4*x+1], out[4*x+2], out[4*x+3] = row[3*x], row[3*x+1], row[3*x+2], 255
		}
	}
	return img, nil
}

// ppmNumber reads white space, with comments in it, then a number, then the
// one byte that ends it.
func ppmNumber(in *bufio.Reader) (int, error) {
	const longest = 4096 // a header with more comment than this is no screen's
	n, digits, comment := 0, 0, false
	for range longest {
		b, err := in.ReadByte()
		if err != nil {
			return 0, fmt.Errorf("cannot read the picture: %w", err)
		}
		space := b == ' ' || b == '\t' || b == '\n' || b == '\r'
		switch {
		case comment:
			comment = b != '\n'
		case b >= '0' && b <= '9' && digits < 9:
			n = 10*n + int(b-'0')
			digits++
		case space && digits > 0:
			return n, nil
		case space:
		case b == '#' && digits == 0:
			comment = true
		default:
			return 0, fmt.Errorf("%w: not a PPM header", ErrHostile)
		}
	}
	return 0, fmt.Errorf("%w: an endless PPM header", ErrHostile)
}
