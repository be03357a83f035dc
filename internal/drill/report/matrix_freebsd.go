package report

import (
	"fmt"
	"strings"

	"skep/internal/layer"
)

// stoppedTwice is what a row with two layers or more is told as.
const stoppedTwice = "let out by no single missing layer"

// twice says whether it is one.
func twice(r MatrixRow) bool { return len(r.Needed) == 0 }

// unseen stands where no layer was seen to stop it: at least two others did in each measurement.
func unseen(r MatrixRow) string {
	if r.NoControl != "" {
		return "– (" + r.NoControl + ")"
	}
	return fmt.Sprintf("– (in no measurement let out; the table has %s)", strings.Trim(fmt.Sprint(r.Table), "[]"))
}

// EveryLayer is each layer, in the order of every report.
func EveryLayer() []layer.ID {
	var ids []layer.ID
	for _, l := range Layers {
		ids = append(ids, l.ID)
	}
	return ids
}

// Quiet are the layers that stop no attempt of the table by themselves, and why they are there all the
// same. A test fails for any other layer that stops nothing.
var Quiet = map[layer.ID]string{}
