package drill

import (
	"slices"
	"strings"

	"skep/internal/drill/report"
	"skep/internal/layer"
)

// goes are the layers that go when one goes: they are part of it.
var goes = map[layer.ID][]layer.ID{
	report.PrivateRoot: {report.EmptyRoom, report.DevfsRules},
	report.JailLayer:   {report.NoSuser, report.Securelevel, report.RctlLayer},
}

// prerequisites are the layers that a layer is measured without: with them, another stops the same.
var prerequisites = map[layer.ID][]layer.ID{
	report.Securelevel: {report.NoSuser},   // root without rights may write no setting whatever the level
	report.ClosedFDs:   {report.JailLayer}, // a process with an open directory may not enter one
}

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

func list(ids []layer.ID) string {
	var words []string
	for _, id := range ids {
		words = append(words, string(id))
	}
	return strings.Join(words, " ")
}
