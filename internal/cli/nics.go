package cli

import (
	"fmt"

	"skep/internal/layout"
	"skep/internal/network"
	"skep/internal/plan"
)

// nicLine is one network card for people.
type nicLine struct{ label, text string }

// nicLines say of each card what the guest has, and what is at the host's end of
// it now.
func nicLines(p *plan.Plan) (all []nicLine) {
	if p == nil {
		return nil
	}
	for _, n := range plan.Specs[*plan.Network](p) {
		text := n.Mode + ", recorded in " + n.Log
		if n.Capture != "" {
			text += ", captured in " + n.Capture + layout.CaptureFirst
		}
		if n.CA != "" {
			text += ", certificates by " + n.CA
		}
		all = append(all, nicLine{n.Label, text})
	}
	for _, t := range plan.Specs[*plan.Tap](p) {
		text := "the guest's address " + t.MAC + ", tap " + t.Name
		if t.MAC == "" {
			text = "tap " + t.Name
		}
		if t.Stack != "" {
			all = append(all, nicLine{t.Label, text + " in the network stack of the jail " + t.Stack})
			continue
		}
		l, there, err := network.LinkOf(t.Name)
		switch {
		case err != nil:
			text += ", which cannot be read: " + err.Error()
		case !there:
			text += ", which is gone"
		case l.Master == "":
			text += fmt.Sprintf(" on no bridge, MTU %d, its own address %s", l.MTU, l.MAC)
		default:
			text += fmt.Sprintf(" on %s, MTU %d, its own address %s", l.Master, l.MTU, l.MAC)
		}
		if l.VLANs != "" {
			text += ", VLANs " + l.VLANs
		}
		all = append(all, nicLine{t.Label, text})
	}
	return all
}
