package layer

import (
	"fmt"
	"slices"
	"strings"
)

// State is what a host says of one layer.
type State string

const (
	// Have: tried, and it worked.
	Have State = "have"
	// Lacking: this kernel has not got it, or its configuration forbids it.
	Lacking State = "lacking"
	// Unprivileged: the kernel has it, this caller may not use it. The operator chose to run
	// without the privilege, so this is told and does not stop a start.
	Unprivileged State = "unprivileged"
	// Moot: what the layer guards against does not exist here (core scheduling on a processor
	// without sibling threads).
	Moot State = "moot"
)

// A Probe is a State and the evidence for it.
type Probe struct {
	State  State  `json:"state"`
	Detail string `json:"detail,omitempty"`
	// Asked is the call that was tried, and Errno the kernel's answer by its name
	// ("EPERM"): what would give the layer back follows from the two.
	Asked string `json:"asked,omitempty"`
	Errno string `json:"errno,omitempty"`
}

// Verdict is what becomes of one layer in one cell.
type Verdict string

const (
	Applied        Verdict = "applied"
	Substituted    Verdict = "substituted"
	Missing        Verdict = "missing" // and allowed by name
	NotPrivileged  Verdict = "unprivileged"
	NothingToApply Verdict = "moot"
)

// A Decision is one layer's Verdict, with the reason in words.
type Decision struct {
	ID      ID      `json:"id"`
	Verdict Verdict `json:"verdict"`
	By      ID      `json:"by,omitempty"` // the substitute, if Substituted
	Detail  string  `json:"detail,omitempty"`
}

// On reports whether id is applied according to decisions.
func On(decisions []Decision, id ID) bool {
	for _, d := range decisions {
		if d.ID == id {
			return d.Verdict == Applied
		}
	}
	return false
}

// All is the decision of a host that has everything; tests and the reference host use it.
func All() []Decision {
	decisions := make([]Decision, len(Table))
	for i, l := range Table {
		decisions[i] = Decision{ID: l.ID, Verdict: Applied}
	}
	return decisions
}

// Without is decisions with one layer taken away; the drill measures each layer so.
func Without(decisions []Decision, id ID) []Decision {
	out := slices.Clone(decisions)
	for i := range out {
		if out[i].ID == id {
			out[i] = Decision{ID: id, Verdict: Missing, Detail: "taken away on purpose"}
		}
	}
	return out
}

// MissingError lists the layers that stop a start: the host lacks them, nothing takes their place
// and the cell does not allow their absence.
type MissingError struct {
	Missing []Layer
	// Why says of each what the host answered.
	Why map[ID]string
	// Unknown are names the cell allows that are no layer's; a spelling mistake there must not
	// look like a permission.
	Unknown []string
}

func (e *MissingError) Error() string {
	var parts, reasons []string
	of := map[string][]string{}
	for _, l := range e.Missing {
		why := orElse(e.Why[l.ID], "this kernel has not got it")
		if of[why] == nil {
			reasons = append(reasons, why)
		}
		of[why] = append(of[why], string(l.ID))
	}
	for _, why := range reasons {
		noun := "layer " + of[why][0] + " is"
		if len(of[why]) > 1 {
			noun = "layers " + strings.Join(of[why], ", ") + " are"
		}
		parts = append(parts, fmt.Sprintf("%s missing here (%s)", noun, why))
	}
	for _, name := range e.Unknown {
		parts = append(parts, fmt.Sprintf("there is no layer %q", name))
	}
	return strings.Join(parts, "; ")
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Decide settles every layer of Table from what the host offers and what the cell allows to be
// missing. It reports all that stops a start at once. The decisions are returned even with an
// error, so that they can be shown.
func Decide(available map[ID]Probe, allowMissing []string) ([]Decision, error) {
	stop := MissingError{Why: map[ID]string{}}
	for _, name := range allowMissing {
		if _, ok := Find(ID(name)); !ok {
			stop.Unknown = append(stop.Unknown, name)
		}
	}
	decisions := make([]Decision, 0, len(Table))
	for _, l := range Table {
		d := settle(l, available)
		if d.Verdict == Missing && !slices.Contains(allowMissing, string(l.ID)) {
			stop.Missing = append(stop.Missing, l)
			stop.Why[l.ID] = d.Detail
		}
		decisions = append(decisions, d)
	}
	if len(stop.Missing) > 0 || len(stop.Unknown) > 0 {
		return decisions, &stop
	}
	return decisions, nil
}

func settle(l Layer, available map[ID]Probe) Decision {
	// A layer nobody probed is a layer nobody saw: it counts as lacking.
	probe, ok := available[l.ID]
	if !ok {
		probe = Probe{State: Lacking, Detail: "not probed"}
	}
	d := Decision{ID: l.ID, Detail: probe.Detail}
	switch probe.State {
	case Have:
		d.Verdict = Applied
	case Unprivileged:
		d.Verdict = NotPrivileged
	case Moot:
		d.Verdict = NothingToApply
	default:
		d.Verdict = Missing
		if l.Substitute != "" && available[l.Substitute].State == Have {
			d.Verdict, d.By = Substituted, l.Substitute
		} else if l.Optional {
			d.Verdict = NothingToApply
		}
	}
	return d
}
