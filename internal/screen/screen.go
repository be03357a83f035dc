// Package screen looks at a guest's frame buffer and carries it to viewers:
// one picture of it over RFB, the protocol of VNC (RFC 6143), or out of a PPM
// file; and a proxy for a viewer's connection.
//
// The other end of each connection is a hypervisor, and so hostile: sizes,
// counts and texts are bounded before anything is allocated for them.
package screen

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
)

// ErrHostile is a picture or a protocol that no frame buffer has.
var ErrHostile = errors.New("the hypervisor sent what is not a screen")

// Bounds of a picture. bhyve ends at 3840x2160, QEMU's VGA at 16 MiB of
// frame buffer.
const (
	maxSide   = 16384
	maxPixels = 1 << 24
)

func checkSize(width, height int) error {
	if width < 1 || height < 1 || width > maxSide || height > maxSide || width*height > maxPixels {
		return fmt.Errorf("%w: a picture of %d by %d", ErrHostile, width, height)
	}
	return nil
}

// WritePNG writes a picture as PNG.
func WritePNG(w io.Writer, img image.Image) error {
	// The picture is looked at once; what counts is that it is there soon.
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	return enc.Encode(w, img)
}

// Blank says whether every pixel is the same: nothing was drawn.
func Blank(img *image.NRGBA) bool {
	first := img.Pix[:4]
	for i := 4; i < len(img.Pix); i += 4 {
		if [4]byte(img.Pix[i:i+4]) != [4]byte(first) {
			return false
		}
	}
	return true
}
