package drill

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"skep/internal/layer"
)

// A Matrix says which layers stop which attempt. It is measured: every attempt is made without any
// layer, with each alone, and with all but each.
type Matrix struct {
	Version int           `json:"version"`
	Time    time.Time     `json:"time"`
	Took    time.Duration `json:"took"`
	Rows    []MatrixRow   `json:"rows"`
	// Unbuilt are layers whose absence or presence alone could not be had, and why.
	Unbuilt map[layer.ID]string `json:"unbuilt,omitempty"`
	// Unapplied are layers that this host has not got, and why.
	Unapplied map[layer.ID]string `json:"unapplied,omitempty"`
}

// MatrixRow is what stops one attempt.
type MatrixRow struct {
	ID    string `json:"id"`
	Group string `json:"group"`
	Tries string `json:"tries"`
	// Open: without any layer it succeeded; Bare says how it went then.
	Open bool   `json:"open"`
	Bare string `json:"bare"`
	// Alone are the layers that stop it alone, or with those that they cannot be without.
	Alone []layer.ID `json:"alone"`
	// Needed are the layers without which, with all others, it succeeds.
	Needed []layer.ID `json:"needed,omitempty"`
	// Table is what the table says, NoControl why it could not succeed where that was measured.
	Table     []layer.ID `json:"table"`
	NoControl string     `json:"no_control,omitempty"`
	Single    string     `json:"single,omitempty"`
}

// Proven says whether the attempt succeeded anywhere.
func (r MatrixRow) Proven() bool { return r.Open || len(r.Alone) > 0 || len(r.Needed) > 0 }

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

// company are the layers without which one cannot be built, or without which it has nothing to do:
// what it stops is measured against them.
var company = map[layer.ID][]layer.ID{
	layer.PrivateRoot: {layer.MountNamespace},
	layer.EmptyRoom:   {layer.MountNamespace, layer.PrivateRoot},
	layer.NoGroups:    {layer.OwnUID},
	layer.NoNewPrivs:  {layer.OwnUID},
	layer.OneExec:     {layer.Seccomp, layer.ClosedFDs},
	layer.TwoPhases:   {layer.Seccomp, layer.ClosedFDs, layer.OneExec},
	layer.WXSeccomp:   {layer.Seccomp},
	layer.RLimits:     {layer.OwnUID},
	layer.NoCore:      {layer.OwnUID},
	layer.Landlock:    {layer.ClosedFDs},
}

// dependents are the layers that go when id goes.
func dependents(id layer.ID) []layer.ID {
	var ids []layer.ID
	for _, l := range layer.Table {
		if slices.Contains(company[l.ID], id) && hard[l.ID] {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// hard marks company that is a matter of building.
var hard = map[layer.ID]bool{layer.PrivateRoot: true, layer.EmptyRoom: true, layer.OneExec: true, layer.TwoPhases: true,
	layer.WXSeccomp: true, layer.Landlock: true}

// Quiet are the layers that stop no attempt of the table, alone or with others, and why they are
// there all the same. A test fails for any other layer that stops nothing.
var Quiet = map[layer.ID]string{
	layer.MountNamespace: "it is what the private root is built in; alone it hides nothing",
	layer.TimeNamespace:  "it leaves no namespace that is shared with the host, and changes no clock",
	layer.CoreScheduling: "it guards against timing between two threads of one core, which no call can try",
	layer.KSMOff:         "it guards against timing of pages that the kernel merges by itself, which no call can try",
}

// Silent are the layers that stop nothing, by the table and Quiet.
func (m Matrix) Silent() []layer.ID {
	var ids []layer.ID
	for _, l := range layer.Table {
		if _, ok := m.Unapplied[l.ID]; ok || Quiet[l.ID] != "" {
			continue
		}
		if !slices.ContainsFunc(m.Rows, func(r MatrixRow) bool { return slices.Contains(r.Alone, l.ID) || slices.Contains(r.Needed, l.ID) }) {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// WriteText writes one line an attempt.
func (m Matrix) WriteText(w io.Writer) error {
	wide := 0
	for _, r := range m.Rows {
		wide = max(wide, len(r.ID))
	}
	group := ""
	two := 0
	for _, r := range m.Rows {
		if r.Group != group {
			group = r.Group
			fmt.Fprintf(w, "%s\n", group)
		}
		mark := " "
		if len(r.Needed) > 0 {
			mark = "!"
		}
		if len(r.Alone) > 1 {
			two++
		}
		fmt.Fprintf(w, "%s %-*s  %s\n", mark, wide, r.ID, m.stops(r, ""))
	}
	for _, list := range []struct {
		title string
		of    map[layer.ID]string
	}{{"not to be had on this host", m.Unapplied}, {"could not be measured", m.Unbuilt}, {"stop nothing that a call can try", Quiet}} {
		if len(list.of) > 0 {
			fmt.Fprintf(w, "\n%s\n", list.title)
		}
		for _, l := range layer.Table {
			if why, ok := list.of[l.ID]; ok {
				fmt.Fprintf(w, "  %s: %s\n", l.ID, why)
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%d attempts, %d of them stopped by two layers or more, each alone, in %s\n! marks what one missing layer lets out\n", len(m.Rows), two, m.Took.Round(time.Second))
	return err
}

// stops lists the layers of a row, quoted as asked.
func (m Matrix) stops(r MatrixRow, quote string) string {
	var words []string
	for _, id := range r.Alone {
		words = append(words, quote+string(id)+quote)
	}
	text := strings.Join(words, " ")
	if text == "" {
		text = "–"
	}
	return text
}

// Markdown is the table of attempts for docs/security.md: what was measured once, as the rows say it.
func Markdown() string {
	var b strings.Builder
	group := ""
	for _, a := range attempts() {
		if a.Group != group {
			group = a.Group
			fmt.Fprintf(&b, "\n**%s**\n\n| attempt | the intruder tries to | layers that stop it, each alone |\n|---|---|---|\n", group)
		}
		stops := "–"
		if ids := strings.Fields(a.By); len(ids) > 0 {
			stops = "`" + strings.Join(ids, "` `") + "`"
		}
		for _, why := range []string{a.Single, a.NoControl} {
			if why != "" {
				stops += "; " + why
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", a.ID, a.Tries, stops)
	}
	return strings.TrimPrefix(b.String(), "\n")
}
