package drill

import (
	"context"
	"testing"

	"skep/internal/cell"
	"skep/internal/drill/attack"
	"skep/internal/drill/report"
)

// An attacker in the place of a guest's TPM makes all attempts, and those with what it was handed: none succeeds.
func TestTPMIsDrilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	d := emulated(t)
	if d.Facts.Linux.SWTPM == "" {
		t.Skip("needs swtpm")
	}
	d.Cell.TPM = &cell.TPM{}
	var r report.Report
	if err := d.set(t.Context(), func(ctx context.Context) error { return d.tpm(ctx, &r) }); err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Escapes() {
		t.Errorf("%s (%s): %s", row.ID, row.Tries, row.How)
	}
	if len(r.Scenes) != 1 || r.Scenes[0].Name != report.SceneTPM || r.Scenes[0].Stopped < 100 {
		t.Fatalf("%+v", r.Scenes)
	}
	t.Logf("%+v", r.Scenes[0])
	own := 0
	for _, row := range r.Rows {
		if row.Group != attack.GroupTPM {
			continue
		}
		own++
		if !row.Expected() {
			t.Errorf("%s was %s by %s, want %v", row.ID, row.Verdict, row.How, row.Want)
		}
	}
	if own != len(attack.TpmTable) {
		t.Errorf("%d of %d attempts with what it was handed", own, len(attack.TpmTable))
	}
}
