package order

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// What comes after another is behind it; what leads round in a cycle is named and waits for nobody.
func TestSort(t *testing.T) {
	for _, tt := range []struct {
		names  string
		after  map[string][]string
		want   string
		cycles int
	}{
		{"a b c", nil, "a b c", 0},
		{"a b c", map[string][]string{"a": {"c"}, "b": {"a"}}, "c a b", 0},
		{"a b", map[string][]string{"a": {"elsewhere"}}, "a b", 0},
		{"a", map[string][]string{"a": {"a"}}, "a", 1},
		{"a b c", map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}}, "c b a", 1},
	} {
		after := map[string][]string{}
		maps.Copy(after, tt.after)
		got, cycles := Sort(strings.Fields(tt.names), after)
		if strings.Join(got, " ") != tt.want || len(cycles) != tt.cycles {
			t.Errorf("%v: %v, cycles %v", tt.after, got, cycles)
		}
		if _, again := Sort(got, after); len(again) != 0 {
			t.Errorf("%v: there are cycles left: %v", tt.after, again)
		}
	}
}

// Whoever comes after another goes before it when it is turned round, once however often it is named.
func TestReversed(t *testing.T) {
	got := Reversed(map[string][]string{"app": {"db", "net", "db"}, "db": {"net"}})
	if !slices.Equal(got["db"], []string{"app"}) || len(got["net"]) != 2 || len(got["app"]) != 0 {
		t.Errorf("%v", got)
	}
}

// Layers of cells, each waiting for all of the layer before, cost no more than
// their edges.
func TestOrderOfManyLayers(t *testing.T) {
	after := map[string][]string{}
	var names, before []string
	for layer := range 40 {
		var these []string
		for i := range 5 {
			n := strings.Repeat("l", layer+1) + string(rune('a'+i))
			names, after[n], these = append([]string{n}, names...), before, append(these, n)
		}
		before = these
	}
	got, cycles := Sort(names, after)
	if len(got) != 200 || len(cycles) > 0 || !slices.IsSortedFunc(got, func(a, b string) int { return len(a) - len(b) }) {
		t.Errorf("%d names, cycles %v", len(got), cycles)
	}
}
