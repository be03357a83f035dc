package drill

import (
	"context"
	"os"
	"testing"

	"skep/internal/cell"
	"skep/internal/drill/attack"
	"skep/internal/drill/report"
)

// An attacker in the place of a network in user space, or of a capture, makes all attempts, and those with what it
// was handed: none succeeds.
func TestCardsAreDrilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	d := emulated(t)
	d.Cell.NICs = []cell.NIC{{Label: "a", Network: cell.NetworkSinkhole, Capture: true}, {Label: "b", Network: cell.NetworkUser},
		{Label: "c", Tap: "tap0", Capture: true}, {Label: "d", Network: cell.NetworkLab}}
	var r report.Report
	if err := d.set(t.Context(), func(ctx context.Context) error { return d.cards(ctx, &r) }); err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Escapes() {
		t.Errorf("in the %s's place: %s (%s): %s", row.Scene, row.ID, row.Tries, row.How)
	}
	want := map[string]bool{report.SceneSinkhole: true, report.SceneUser: true, report.SceneSegment: true}
	if os.Geteuid() == 0 {
		want[report.SceneCapture] = true
	}
	for _, s := range r.Scenes {
		t.Logf("%s: %d attempts, %d stopped, %d skipped", s.Name, s.Attempts, s.Stopped, s.Skipped)
		if s.Stopped < 100 {
			t.Errorf("%s: only %d attempts were made", s.Name, s.Stopped)
		}
		delete(want, s.Name)
	}
	for name := range want {
		t.Errorf("nobody was in the %s's place", name)
	}
	for _, row := range r.Rows {
		if row.Group == attack.GroupCard && row.Verdict == report.Stopped && !row.Expected() {
			t.Errorf("in the %s's place: %s was stopped by %s, want %v", row.Scene, row.ID, row.How, row.Want)
		}
	}
}
