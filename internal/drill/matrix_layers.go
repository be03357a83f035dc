//go:build !freebsd

package drill

import (
	"slices"

	"skep/internal/layer"
)

// stoppedTwice is what a row with two layers or more is told as.
const stoppedTwice = "stopped by two layers or more, each alone"

// twice says whether it is one.
func twice(r MatrixRow) bool { return len(r.Alone) > 1 }

// unseen stands where no layer was seen to stop it.
func unseen(MatrixRow) string { return "–" }

// every is each layer, in the order of every report.
func every() []layer.ID {
	var ids []layer.ID
	for _, l := range layer.Table {
		ids = append(ids, l.ID)
	}
	return ids
}

// settle takes back what a layer seemed to stop alone where one other is missing and it was let out:
// it stopped it then by what it breaks when it is alone.
func (r *MatrixRow) settle() {
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

// Quiet are the layers that stop no attempt of the table, alone or with others, and why they are
// there all the same. A test fails for any other layer that stops nothing.
var Quiet = map[layer.ID]string{
	layer.MountNamespace: "it is what the private root is built in; alone it hides nothing",
	layer.TimeNamespace:  "it leaves no namespace that is shared with the host, and changes no clock",
	layer.CoreScheduling: "it guards against timing between two threads of one core, which no call can try",
	layer.KSMOff:         "it guards against timing of pages that the kernel merges by itself, which no call can try",
}
