package store

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"skep/internal/cell"
	"skep/internal/layout"
)

// The addresses of a guest's cards outlive what they were made from. A cell that
// ran before any were remembered had those of its names.
func TestMACsAreRemembered(t *testing.T) {
	s := lab(t)
	c := &cell.Cell{Name: "web", NICs: []cell.NIC{{Label: "lan", MAC: "02:00:00:00:00:01"}}}
	if macs, err := s.MACs(c); err != nil || macs != nil {
		t.Errorf("of a cell that never ran: %v, %v", macs, err)
	}
	if err := s.RememberMACs("web", map[string]string{"lan": "02:00:00:00:00:02"}); err != nil {
		t.Fatal(err)
	}
	if err := s.RememberMACs("web", map[string]string{"dmz": "02:00:00:00:00:03"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"lan": "02:00:00:00:00:02", "dmz": "02:00:00:00:00:03"}
	if macs, err := s.MACs(c); err != nil || !maps.Equal(macs, want) {
		t.Errorf("%v, %v", macs, err)
	}
	old := &cell.Cell{Name: "old", NICs: []cell.NIC{{Label: "lan", MAC: "02:00:00:00:00:04"}}}
	if err := s.MakeStateDir("old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.StateDir("old"), "console.log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if macs, err := s.MACs(old); err != nil || macs["lan"] != "02:00:00:00:00:04" {
		t.Errorf("of a cell that an older skep has run: %v, %v", macs, err)
	}
	// A file that cannot be read is no reason to give a guest other cards.
	if err := os.WriteFile(filepath.Join(s.StateDir("web"), layout.MACs), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.MACs(c); err == nil {
		t.Error("a torn file is taken for none")
	}
}
