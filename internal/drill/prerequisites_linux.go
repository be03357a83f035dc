package drill

import (
	"slices"

	"skep/internal/drill/report"
	"skep/internal/layer"
)

// settle takes back what a layer seemed to stop alone where one other is missing and it was let out:
// it stopped it then by what it breaks when it is alone.
func settle(r *report.MatrixRow) {
	if len(r.Needed) == 0 {
		return
	}
	gone := slices.Clone(r.Needed) // with those that cannot be without one of them
	for _, id := range r.Needed {
		gone = append(gone, dependents(id)...)
	}
	r.Alone = slices.DeleteFunc(r.Alone, func(id layer.ID) bool { return !slices.Contains(gone, id) })
}

// prerequisites are the layers without which one cannot be built, or without which it has nothing to do:
// what it stops is measured against them.
var prerequisites = map[layer.ID][]layer.ID{
	layer.PrivateRoot: {layer.MountNamespace},
	layer.EmptyRootfs: {layer.MountNamespace, layer.PrivateRoot},
	layer.NoGroups:    {layer.OwnUID},
	layer.NoNewPrivs:  {layer.OwnUID},
	layer.Seccomp:     {layer.ClosedFDs}, // its listener has the number that is free then
	layer.OneExec:     {layer.Seccomp, layer.ClosedFDs},
	layer.TwoPhases:   {layer.Seccomp, layer.ClosedFDs, layer.OneExec},
	layer.WXSeccomp:   {layer.Seccomp, layer.ClosedFDs},
	layer.RLimits:     {layer.OwnUID},
	layer.NoCore:      {layer.OwnUID},
	layer.Landlock:    {layer.ClosedFDs},
}

// dependents are the layers that go when id goes.
func dependents(id layer.ID) []layer.ID {
	var ids []layer.ID
	for _, l := range layer.Table {
		if slices.Contains(prerequisites[l.ID], id) && hard[l.ID] {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// hard marks prerequisites that is a matter of building.
var hard = map[layer.ID]bool{layer.PrivateRoot: true, layer.EmptyRootfs: true, layer.OneExec: true, layer.TwoPhases: true,
	layer.WXSeccomp: true, layer.Landlock: true}
