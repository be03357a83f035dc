package main

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A mark is one row of the picture: a median, and between which two quarters half of the runs lie.
type mark struct {
	name               string
	quarter, half, top float64 // milliseconds
}

// marked keeps what the picture shows.
func (b *bencher) marked(group, name string, took series) {
	if len(took) == 0 {
		return
	}
	at := func(part float64) float64 { return took.at(part).Seconds() * 1000 }
	b.marks = append(b.marks, mark{group + name, at(0.25), at(0.5), at(0.75)})
}

// picture draws all that was marked, the first on top. Times of such different sizes are read on a logarithmic axis.
func (b *bencher) picture(file string) error {
	if len(b.marks) == 0 {
		return fmt.Errorf("nothing was measured that %s could show", file)
	}
	p := plot.New()
	p.Title.Text = "until a guest answers"
	p.X.Label.Text = "milliseconds: median, and the middle half of the runs"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	var points plotter.XYs
	var spread plotter.XErrors
	names := make([]string, len(b.marks))
	for i, m := range b.marks {
		y := len(b.marks) - 1 - i
		names[y] = fmt.Sprintf("  %s  %.0f ms", m.name, m.half)
		points = append(points, plotter.XY{X: m.half, Y: float64(y)})
		spread = append(spread, struct{ Low, High float64 }{m.half - m.quarter, m.top - m.half})
	}
	dots, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	blue := color.RGBA{R: 0x1f, G: 0x5f, B: 0xa8, A: 0xff}
	dots.GlyphStyle = draw.GlyphStyle{Color: blue, Radius: vg.Points(4), Shape: draw.CircleGlyph{}}
	bars, err := plotter.NewXErrorBars(struct {
		plotter.XYs
		plotter.XErrors
	}{points, spread})
	if err != nil {
		return err
	}
	bars.LineStyle = draw.LineStyle{Color: blue, Width: vg.Points(1.5)}
	p.Add(plotter.NewGrid(), bars, dots)
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.7, float64(len(names))-0.3
	// From one power of ten to another: only those have words at the axis.
	p.X.Min, p.X.Max = math.Pow10(int(math.Floor(math.Log10(p.X.Min)))), math.Pow10(int(math.Ceil(math.Log10(p.X.Max))))
	return p.Save(24*vg.Centimeter, vg.Length(len(b.marks))*vg.Centimeter+3*vg.Centimeter, file)
}
