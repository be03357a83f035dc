package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"skep/internal/layer"
)

// A Matrix says which layers stop which attempt. It is measured: on Linux every attempt is made without
// any layer, with each alone, and with all but each; on FreeBSD with all but each, and with all but
// each and capability mode.
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
	Scene string `json:"scene"` // in whose place the attacker is
	Group string `json:"group"`
	Tries string `json:"tries"`
	// Open: without any layer it succeeded; Bare says how it went then. On FreeBSD there is a jail, or
	// capability mode, in each measurement.
	Open bool   `json:"open"`
	Bare string `json:"bare"`
	// Alone are the layers that stop it alone, or with those that they cannot be without; on FreeBSD
	// those that were seen to stop it.
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

// Silent are the layers that stop nothing, by the table and Quiet.
func (m Matrix) Silent() []layer.ID {
	var ids []layer.ID
	for _, id := range EveryLayer() {
		if _, ok := m.Unapplied[id]; ok || Quiet[id] != "" {
			continue
		}
		if !slices.ContainsFunc(m.Rows, func(r MatrixRow) bool { return slices.Contains(r.Alone, id) || slices.Contains(r.Needed, id) }) {
			ids = append(ids, id)
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
	scene, group := SceneHypervisor, ""
	two := 0
	for _, r := range m.Rows {
		if r.Scene != scene {
			scene, group = r.Scene, ""
			fmt.Fprintf(w, "\nin the %s's place\n", scene)
		}
		if r.Group != group {
			group = r.Group
			fmt.Fprintf(w, "%s\n", group)
		}
		mark := " "
		if len(r.Needed) > 0 {
			mark = "!"
		}
		if twice(r) {
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
		for _, id := range EveryLayer() {
			if why, ok := list.of[id]; ok {
				fmt.Fprintf(w, "  %s: %s\n", id, why)
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%d attempts, %d of them "+stoppedTwice+", in %s\n! marks what one missing layer lets out\n", len(m.Rows), two, m.Took.Round(time.Second))
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
		text = unseen(r)
	}
	return text
}
