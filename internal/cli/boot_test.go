package cli

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/order"
)

func TestBootCells(t *testing.T) {
	dir := t.TempDir()
	cells := filepath.Join(dir, "etc/cells")
	write(t, cells+"/a.hcl", "cell \"a\" {\n  start = \"boot\"\n  after = [\"b\"]\n}\n")
	write(t, cells+"/b.hcl", "cell \"b\" {\n  start = \"boot\"\n}\n")
	write(t, cells+"/manual.hcl", "cell \"manual\" {}\n")
	write(t, cells+"/not-a-cell.txt", "")
	var errs strings.Builder
	a := &app{ui: &ui{err: &errs}}
	got, bad := a.bootCells(host.Dirs{Config: filepath.Join(dir, "etc")})
	if len(got) != 2 || got[0].Name != "a" || got[1].Name != "b" || bad != fault.OK || errs.Len() > 0 {
		t.Errorf("%v, %v, %s", got, bad, &errs)
	}
	// One bad file keeps none of the others down, and does not pass in silence.
	write(t, cells+"/bad.hcl", "cell \"bad\" {\n  cpus = 0\n}\n")
	write(t, cells+"/other.hcl", "cell \"another\" {\n  start = \"boot\"\n}\n")
	got, bad = a.bootCells(host.Dirs{Config: filepath.Join(dir, "etc")})
	if len(got) != 2 || bad != fault.Input || !strings.Contains(errs.String(), "bad.hcl:2:") || !strings.Contains(errs.String(), `not "other"`) {
		t.Errorf("%v, %v, %s", got, bad, &errs)
	}
}

func TestBootCommandLine(t *testing.T) {
	skep(t, "up", "--boot", "web").want(t, fault.Input, "--boot cannot be combined with")
	skep(t, "up", "--boot", "--all").want(t, fault.Input, "--boot cannot be combined with")
	// A host without cells has nothing to start, and that is no failure.
	skep(t, "up", "--boot").want(t, fault.OK)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "etc/cells/bad.hcl"), "cell {}\n")
	skepIn(t, dir, "up", "--boot").want(t, fault.Input, "bad.hcl:1:")
}

func TestInOrder(t *testing.T) {
	for _, tc := range []struct {
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
		{"a b c d", map[string][]string{"a": {"b"}, "b": {"a"}, "d": {"c"}, "c": {"d"}}, "b a d c", 2},
	} {
		after := map[string][]string{}
		for k, v := range tc.after {
			after[k] = v
		}
		got, cycles := order.Sort(strings.Fields(tc.names), after)
		if strings.Join(got, " ") != tc.want || len(cycles) != tc.cycles {
			t.Errorf("%v: %v, cycles %v", tc.after, got, cycles)
		}
		// The rest of it is no cycle any more: nothing waits for ever.
		var mu sync.Mutex
		var did []string
		a := &app{ui: &ui{err: new(strings.Builder)}}
		err := a.eachOf(got, 1, waiting(got, after, func(n string) error {
			mu.Lock()
			defer mu.Unlock()
			did = append(did, n)
			return errors.New("it failed")
		}))
		if err == nil || len(did) != len(got) {
			t.Errorf("%v of %v were started, %v", did, got, err)
		}
		for n, firsts := range after {
			for _, f := range firsts {
				if slices.Index(did, f) > slices.Index(did, n) {
					t.Errorf("%s came before %s: %v", n, f, did)
				}
			}
		}
	}
}

// The order holds for cells that are named, too, by name or by file.
func TestAfterOf(t *testing.T) {
	dir := t.TempDir()
	cells := filepath.Join(dir, "cells")
	write(t, cells+"/app.hcl", "cell \"app\" {\n  after = [\"db\", \"elsewhere\"]\n}\n")
	write(t, cells+"/db.hcl", "cell \"db\" {}\n")
	write(t, cells+"/bad.hcl", "cell \"bad\" {\n  after = [\"app\"]\n  cpus = 0\n}\n")
	got := afterOf(host.Dirs{Config: dir}, []string{"app", cells + "/db.hcl", "bad", "app"})
	if len(got) != 1 || len(got["app"]) != 1 || got["app"][0] != cells+"/db.hcl" {
		t.Errorf("%v", got)
	}
}

// A mistake in one of several files is told once.
func TestMistakesAreToldOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "etc/cells/one.hcl"), "cell \"one\" {\n  cpus = 0\n}\n")
	write(t, filepath.Join(dir, "etc/cells/two.hcl"), "cell \"two\" {\n  memry = \"1M\"\n}\n")
	s := skepIn(t, dir, "up", "one", "two").want(t, fault.Host, "one.hcl:2:", "two.hcl:2:")
	if n := strings.Count(s.err, "one.hcl:2:"); n != 1 {
		t.Errorf("told %d times:\n%s", n, s.err)
	}
}
