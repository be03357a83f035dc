//go:build !freebsd

package report

import "skep/internal/layer"

// stoppedTwice is what a row with two layers or more is told as.
const stoppedTwice = "stopped by two layers or more, each alone"

// twice says whether it is one.
func twice(r MatrixRow) bool { return len(r.Alone) > 1 }

// unseen stands where no layer was seen to stop it.
func unseen(MatrixRow) string { return "–" }

// EveryLayer is each layer, in the order of every report.
func EveryLayer() []layer.ID {
	var ids []layer.ID
	for _, l := range layer.Table {
		ids = append(ids, l.ID)
	}
	return ids
}

// Quiet are the layers that stop no attempt of the table, alone or with others, and why they are
// there all the same. A test fails for any other layer that stops nothing.
var Quiet = map[layer.ID]string{
	layer.MountNamespace: "it is what the private root is built in; alone it hides nothing",
	layer.TimeNamespace:  "it leaves no namespace that is shared with the host, and changes no clock",
	layer.CoreScheduling: "it guards against timing between two threads of one core, which no call can try",
	layer.KSMOff:         "it guards against timing of pages that the kernel merges by itself, which no call can try",
}
