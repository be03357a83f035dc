package cli

import (
	"strings"
	"testing"
	"time"

	"skep/internal/cell"
	"skep/internal/order"
)

// Stopping goes the way back: who comes after another goes before it, and the
// last one has to wait for all of them.
func TestStopOrder(t *testing.T) {
	after := map[string][]string{"app": {"db", "net"}, "db": {"net"}}
	names, cycles := order.Sort([]string{"net", "db", "app", "alone"}, order.Reversed(after))
	if got := strings.Join(names, " "); got != "app db net alone" || len(cycles) != 0 {
		t.Errorf("%s, %v", got, cycles)
	}
	c := func(name string, stop time.Duration, after ...string) *cell.Cell {
		return &cell.Cell{Name: name, StopTimeout: stop, After: after}
	}
	for _, tt := range []struct {
		cells []*cell.Cell
		last  string
		took  time.Duration
	}{
		{[]*cell.Cell{c("a", time.Minute), c("b", 2*time.Minute)}, "b", 2 * time.Minute},
		{[]*cell.Cell{c("a", time.Minute), c("b", 2*time.Minute, "a")}, "a", 3 * time.Minute},
		{[]*cell.Cell{c("a", time.Minute), c("b", time.Minute, "a"), c("c", time.Minute, "b"), c("d", 2*time.Minute)}, "a", 3 * time.Minute},
		{[]*cell.Cell{c("a", time.Minute, "elsewhere")}, "a", time.Minute},
	} {
		last, took := longestStop(tt.cells)
		if last.Name != tt.last || took != tt.took {
			t.Errorf("%s after %s, want %s after %s", last.Name, took, tt.last, tt.took)
		}
	}
	if last, _ := longestStop(nil); last != nil {
		t.Error("no cell is the last of none")
	}
}
