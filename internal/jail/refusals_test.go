package jail

import (
	"slices"
	"testing"
)

// A person sees the calls with their counts, and which of them mean something.
func TestRefusals(t *testing.T) {
	some := Refusals{Run: map[string]uint64{"b": 1, "a": 1, "c": 7}, Expected: map[string]uint64{"c": 7, "b": 1}}
	if names := Names(some.Run); !slices.Equal(names, []string{"c (7)", "a (1)", "b (1)"}) || some.Total() != 9 {
		t.Errorf("%q, %d", names, some.Total())
	}
	if odd := some.Unexpected(); len(odd) != 1 || odd["a"] != 1 {
		t.Errorf("unexpected: %v", odd)
	}
	if (*Refusals)(nil).Unexpected() != nil || Count(nil) != 0 {
		t.Error("no refusals are some")
	}
}
