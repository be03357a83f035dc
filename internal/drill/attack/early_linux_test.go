package attack

import (
	"testing"

	"skep/internal/layer"
)

// TestHeadStarts: each row says what is taken along, what is tried with it and what stops it; and what may
// succeed in the start has a reason that says why that lets nobody out.
func TestHeadStarts(t *testing.T) {
	for _, a := range HeadStarts() {
		if a.ID == "" || a.Tries == "" || a.Want == "" || a.Before == nil || a.Do == nil || len(a.Layers()) == 0 {
			t.Errorf("%s is not whole", a.ID)
		}
		for _, id := range a.Layers() {
			if _, ok := layer.Find(id); !ok {
				t.Errorf("%s: there is no layer %s", a.ID, id)
			}
		}
	}
	for _, a := range All() {
		if !a.Start {
			t.Errorf("%s is not tried in the start", a.ID)
		}
		if a.Early != "" && len(a.Early) < 8 {
			t.Errorf("%s: %q is no reason", a.ID, a.Early)
		}
	}
}
