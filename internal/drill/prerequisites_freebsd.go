package drill

import (
	"slices"
	"strings"

	"skep/internal/layer"
)

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
