package evidence

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"testing"

	"golang.org/x/image/draw"
)

// A sheet shows each picture at its place, of many a bounded number with the first and the last.
func TestSheet(t *testing.T) {
	var names []string
	for i := range 500 {
		names = append(names, fmt.Sprint(i))
	}
	some := Choose(names)
	if len(some) != sheetMost || some[0] != "0" || some[len(some)-1] != "499" {
		t.Errorf("%d of them, from %s to %s", len(some), some[0], some[len(some)-1])
	}
	if got := Choose(names[:2]); len(got) != 2 {
		t.Error(got)
	}
	s := NewSheet(7)
	red := image.NewRGBA(image.Rect(0, 0, 640, 480))
	draw.Draw(red, red.Bounds(), image.NewUniform(color.RGBA{255, 0, 0, 255}), image.Point{}, draw.Src)
	for i := range 7 {
		s.Add(i, red, "12:34:56")
	}
	s.Add(0, image.NewRGBA(image.Rect(0, 0, 0, 0)), "nothing")
	s.Add(1, image.NewRGBA(image.Rect(0, 0, 1, 16000)), "thin")
	if err := s.AddPNG(2, []byte("no picture"), ""); err == nil {
		t.Error("what is no picture is taken")
	}
	b, err := s.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddPNG(2, b, "itself"); err != nil {
		t.Error(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	x, y := gap+(thumbWidth+gap)+10, gap+(thumbHeight+labelHeight+gap)+10 // the seventh
	if r, g, _, _ := img.At(x, y).RGBA(); r>>8 != 255 || g != 0 {
		t.Errorf("at %d,%d it is not red", x, y)
	}
}
