package cell

import (
	"bytes"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxFile is far more than anyone writes.
const maxFile = 1 << 20

// bom is what some editors put before UTF-8.
var bom = []byte("\xef\xbb\xbf")

// Syntax says whether a text is HCL, whatever that says: it is the text, without what some editors put before it,
// or what is wrong.
func Syntax(filename string, src []byte) ([]byte, Diagnostics) {
	r := &reader{file: filename, src: bytes.TrimPrefix(src, bom), places: map[string]hcl.Range{}}
	if r.syntax() == nil || r.partial {
		return nil, r.found.sorted()
	}
	return r.src, nil
}

// Options say what Parse may know of the world outside the file.
type Options struct {
	// Layers are the names that allow_missing may hold; with none, they are not
	// checked.
	Layers []string
}

// Parse reads a cell file with no Options.
func Parse(filename string, src []byte) (*Cell, Diagnostics) {
	return Options{}.Parse(filename, src)
}

// Parse reads a cell file: its text in src, and its name, which is what relative
// paths in it are relative to. It returns a complete and valid cell or every
// mistake of the file.
func (o Options) Parse(filename string, src []byte) (*Cell, Diagnostics) {
	r := &reader{file: filename, src: bytes.TrimPrefix(src, bom), layers: o.Layers, places: map[string]hcl.Range{}}
	body := r.syntax()
	if body == nil {
		return nil, r.found.sorted()
	}
	c := r.cell(body)
	if len(r.found) > 0 {
		return nil, r.found.sorted()
	}
	complete(c)
	c.File = filename
	c.Sources = r.sources()
	return c, nil
}

// cell reads the one cell block of a file.
func (r *reader) cell(body *hclsyntax.Body) *Cell {
	for _, name := range slices.Sorted(maps.Keys(body.Attributes)) {
		r.report(body.Attributes[name].NameRange, name, wrong("must be inside a cell block").but(`put it into cell "name" { … }`))
	}
	var c *Cell
	var pools []*hclsyntax.Block // beside the cell, or in it
	for _, in := range body.Blocks {
		switch {
		case in.Type == "pool":
			pools = append(pools, in)
		case in.Type != "cell":
			r.strayBlock(in)
		case c != nil:
			r.report(in.TypeRange, "second cell block", wrong("the first is on line %d", r.places["cell"].Start.Line).
				but("a file describes one cell: give each a file of its own"))
		default:
			fresh := cellBlock.fresh()
			c = &fresh
			r.places["cell"] = in.TypeRange
			c.Name = r.cellName(in)
			cellBlock.body(r, "", in.Body, c)
		}
	}
	for _, in := range pools {
		if c != nil {
			cellBlock.child(r, "", in, c)
		}
	}
	if c == nil && len(r.found) == 0 {
		r.add(hcl.Range{Start: hcl.InitialPos, End: hcl.InitialPos}, "cannot find a cell in this file",
			`the shortest cell file is cell "name" {}`)
	}
	return c
}

func (r *reader) cellName(in *hclsyntax.Block) string {
	switch {
	case len(in.Labels) == 0:
		r.report(in.TypeRange, "cell block", wrong("needs a name").but(`write cell "name" { … }`))
		return ""
	case len(in.Labels) > 1:
		r.report(in.LabelRanges[1], "cell "+r.text(in.LabelRanges[1]), wrong("must have one name only"))
	}
	if m := nameRule(in.Labels[0]); m != nil {
		r.report(in.LabelRanges[0], "name "+r.text(in.LabelRanges[0]), m)
	}
	return in.Labels[0]
}
