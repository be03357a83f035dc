package layer

import (
	"errors"
	"regexp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func haveAll() map[ID]Probe {
	m := map[ID]Probe{}
	for _, l := range Table {
		m[l.ID] = Probe{State: Have}
	}
	return m
}

func TestTable(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[ID]bool{}
	for _, l := range Table {
		if !kebab.MatchString(string(l.ID)) {
			t.Errorf("%q is not a kebab name", l.ID)
		}
		if seen[l.ID] {
			t.Errorf("%s is there twice", l.ID)
		}
		seen[l.ID] = true
		if l.Does == "" || l.Kernel == "" || l.Seen == "" {
			t.Errorf("%s: a column is empty", l.ID)
		}
		if l.Substitute != "" {
			s, ok := Find(l.Substitute)
			if !ok {
				t.Errorf("%s: its substitute %s is no layer", l.ID, l.Substitute)
			}
			if s.Substitute != "" {
				t.Errorf("%s: a substitute's substitute is never tried", l.ID)
			}
		}
	}
}

func TestDecide(t *testing.T) {
	tests := []struct {
		name    string
		id      ID
		probe   Probe
		allow   []string
		also    map[ID]Probe
		want    Decision
		missing bool
	}{
		{name: "applied", id: Landlock, probe: Probe{State: Have, Detail: "ABI 7"},
			want: Decision{ID: Landlock, Verdict: Applied, Detail: "ABI 7"}},
		{name: "substituted", id: WXMDWE, probe: Probe{State: Lacking, Detail: "invalid argument"},
			want: Decision{ID: WXMDWE, Verdict: Substituted, By: WXSeccomp, Detail: "invalid argument"}},
		{name: "substitute lacking too", id: WXMDWE, probe: Probe{State: Lacking},
			also:  map[ID]Probe{WXSeccomp: {State: Lacking}},
			allow: []string{"wx-seccomp"},
			want:  Decision{ID: WXMDWE, Verdict: Missing}, missing: true},
		{name: "missing stops", id: Landlock, probe: Probe{State: Lacking},
			want: Decision{ID: Landlock, Verdict: Missing}, missing: true},
		{name: "missing by name", id: Landlock, probe: Probe{State: Lacking}, allow: []string{"landlock"},
			want: Decision{ID: Landlock, Verdict: Missing}},
		{name: "no privilege is told", id: NoGroups, probe: Probe{State: Unprivileged},
			want: Decision{ID: NoGroups, Verdict: NotPrivileged}},
		{name: "moot", id: CoreScheduling, probe: Probe{State: Moot},
			want: Decision{ID: CoreScheduling, Verdict: NothingToApply}},
		{name: "unknown state fails closed", id: Seccomp, probe: Probe{State: "perhaps"},
			want: Decision{ID: Seccomp, Verdict: Missing}, missing: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			available := haveAll()
			available[tt.id] = tt.probe
			for id, p := range tt.also {
				available[id] = p
			}
			decisions, err := Decide(available, tt.allow)
			i := slices.IndexFunc(decisions, func(d Decision) bool { return d.ID == tt.id })
			if got := decisions[i]; got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			var stop *MissingError
			if errors.As(err, &stop) != tt.missing {
				t.Errorf("error %v, want one: %v", err, tt.missing)
			}
			if tt.missing && stop.Missing[0].ID != tt.id {
				t.Errorf("the error names %s", stop.Missing[0].ID)
			}
		})
	}
}

func TestDecideNamesEveryMistakeAtOnce(t *testing.T) {
	_, err := Decide(nil, []string{"sekkomp"})
	var stop *MissingError
	if !errors.As(err, &stop) {
		t.Fatalf("got %v", err)
	}
	want := 0
	for _, l := range Table {
		if !l.Optional {
			want++
		}
	}
	if len(stop.Missing) != want {
		t.Errorf("%d layers are named missing, want all %d", len(stop.Missing), want)
	}
	if !slices.Equal(stop.Unknown, []string{"sekkomp"}) {
		t.Errorf("unknown: %q", stop.Unknown)
	}
}

// No host, however odd, gets a start with a layer neither applied, replaced, named nor explained.
func TestDecideFailsClosed(t *testing.T) {
	states := []State{Have, Lacking, Unprivileged, Moot, ""}
	rapid.Check(t, func(t *rapid.T) {
		available := map[ID]Probe{}
		var allow []string
		for _, l := range Table {
			available[l.ID] = Probe{State: rapid.SampledFrom(states).Draw(t, string(l.ID))}
			if rapid.Bool().Draw(t, "allow "+string(l.ID)) {
				allow = append(allow, string(l.ID))
			}
		}
		decisions, err := Decide(available, allow)
		if len(decisions) != len(Table) {
			t.Fatalf("%d decisions for %d layers", len(decisions), len(Table))
		}
		for i, d := range decisions {
			if d.ID != Table[i].ID {
				t.Fatalf("decision %d is for %s", i, d.ID)
			}
			if d.Verdict == Applied && available[d.ID].State != Have {
				t.Fatalf("%s is called applied, the host says %q", d.ID, available[d.ID].State)
			}
			if d.Verdict == Missing && err == nil && !slices.Contains(allow, string(d.ID)) {
				t.Fatalf("%s is missing and nothing stops the start", d.ID)
			}
		}
	})
}

func TestWithout(t *testing.T) {
	all := All()
	less := Without(all, Landlock)
	if !On(all, Landlock) || On(less, Landlock) || !On(less, Seccomp) || On(nil, Seccomp) {
		t.Error("On and Without disagree")
	}
}
