package jail

import (
	"slices"
	"testing"
	"time"
)

// Refusals are counted as long as they come now and then, for years; a flood of them is counted to a bound.
func TestRefusalsAreBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	slow := newRefusals()
	for i := range 100_000 {
		if !slow.inRun("getcwd", now.Add(time.Duration(i)*time.Second)) {
			t.Fatalf("one a second is too often after %d", i)
		}
	}
	if seen := slow.copy(); seen.Run["getcwd"] != 100_000 || seen.Uncounted != "" {
		t.Errorf("%+v", seen)
	}
	fast := newRefusals()
	n := 0
	for fast.inRun("getcwd", now) {
		n++
	}
	if seen := fast.copy(); n != burst || seen.Uncounted != TooOften {
		t.Errorf("%d at once: %+v", n, seen)
	}
	some := Refusals{Run: map[string]uint64{"b": 1, "a": 1, "c": 7}}
	if names := some.Names(); !slices.Equal(names, []string{"c (7)", "a (1)", "b (1)"}) || some.Total() != 9 {
		t.Errorf("%q, %d", names, some.Total())
	}
}
