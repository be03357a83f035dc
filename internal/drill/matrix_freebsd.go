package drill

import (
	"fmt"
	"slices"
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
	return fmt.Sprintf("– (in no measurement let out; the table has %s)", list(r.Table))
}

func list(ids []layer.ID) string {
	var words []string
	for _, id := range ids {
		words = append(words, string(id))
	}
	return strings.Join(words, " ")
}

// every is each layer, in the order of every report.
func every() []layer.ID {
	var ids []layer.ID
	for _, l := range bsdLayers {
		ids = append(ids, l.ID)
	}
	return ids
}

// goes are the layers that go when one goes: they are part of it.
var goes = map[layer.ID][]layer.ID{
	privateRoot: {emptyRoom, devfsRules},
	jailLayer:   {noSuser, securelevel, rctlLayer},
}

// prerequisites are the layers that a layer is measured without: with them, another stops the same.
var prerequisites = map[layer.ID][]layer.ID{
	securelevel: {noSuser},   // root without rights may write no setting whatever the level
	closedFDs:   {jailLayer}, // a process with an open directory may not enter one
}

// Quiet are the layers that stop no attempt of the table by themselves, and why they are there all the
// same. A test fails for any other layer that stops nothing.
var Quiet = map[layer.ID]string{}

// A missing is a set of layers that are left out, with those that go with them.
type missing []layer.ID

func without(ids ...layer.ID) missing {
	m := slices.Clone(ids)
	for _, id := range ids {
		m = append(m, goes[id]...)
	}
	slices.Sort(m)
	return slices.Compact(m)
}

func (m missing) has(id layer.ID) bool { return slices.Contains(m, id) }
