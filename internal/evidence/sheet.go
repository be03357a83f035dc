package evidence

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// A contact sheet: how many pictures it has in a row and at most, and how large each is.
const (
	sheetColumns = 5
	sheetMost    = 60
	thumbWidth   = 256
	thumbHeight  = 192
	labelHeight  = 18
	gap          = 8
)

// Sheet is a contact sheet that is being made.
type Sheet struct {
	img *image.RGBA
}

// NewSheet has room for so many pictures, up to a bound.
func NewSheet(n int) *Sheet {
	n = min(max(n, 1), sheetMost)
	rows := (n + sheetColumns - 1) / sheetColumns
	s := &Sheet{image.NewRGBA(image.Rect(0, 0, gap+min(n, sheetColumns)*(thumbWidth+gap), gap+rows*(thumbHeight+labelHeight+gap)))}
	draw.Draw(s.img, s.img.Bounds(), image.NewUniform(color.RGBA{32, 32, 32, 255}), image.Point{}, draw.Src)
	return s
}

// Choose are those of many that a sheet shows, from the first to the last.
func Choose(all []string) (some []string) {
	for i := range min(sheetMost, len(all)) {
		at := i
		if len(all) > sheetMost {
			at = i * (len(all) - 1) / (sheetMost - 1)
		}
		some = append(some, all[at])
	}
	return some
}

// Add draws one picture with a word below.
func (s *Sheet) Add(i int, img image.Image, label string) {
	x, y := gap+i%sheetColumns*(thumbWidth+gap), gap+i/sheetColumns*(thumbHeight+labelHeight+gap)
	b := img.Bounds()
	if !image.Pt(x, y).In(s.img.Bounds()) {
		return // there was to be no such picture
	}
	if b.Dx() < 1 || b.Dy() < 1 {
		return
	}
	w, h := thumbWidth, b.Dy()*thumbWidth/b.Dx()
	if h > thumbHeight {
		w, h = b.Dx()*thumbHeight/b.Dy(), thumbHeight
	}
	draw.ApproxBiLinear.Scale(s.img, image.Rect(x, y, x+max(w, 1), y+max(h, 1)), img, b, draw.Src, nil)
	d := font.Drawer{Dst: s.img, Src: image.NewUniform(color.White), Face: basicfont.Face7x13, Dot: fixed.P(x, y+thumbHeight+13)}
	d.DrawString(label)
}

// maxPicture bounds a picture that is decoded: no screen is larger.
const maxPicture = 1 << 24

// AddPNG draws a picture that a guest's screen has become.
func (s *Sheet) AddPNG(i int, b []byte, label string) error {
	c, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return err
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPicture/c.Height {
		return errors.New("it is larger than a screen")
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err == nil {
		s.Add(i, img, label)
	}
	return err
}

// PNG is the sheet.
func (s *Sheet) PNG() ([]byte, error) {
	var b bytes.Buffer
	err := png.Encode(&b, s.img)
	return b.Bytes(), err
}
