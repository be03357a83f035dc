package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Every attempt of the drill succeeds where there is no jail, and is stopped by the layers that the
// table names; every layer stops something. It takes two minutes.
func TestAblation(t *testing.T) {
	needCells(t)
	if testing.Short() {
		t.Skip("takes minutes")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: does without all layers")
	}
	l := newLab(t)
	l.layeredCell() // with a disk, more of the table can be tried
	cmd := exec.CommandContext(t.Context(), skep, "drill", "--ablate", "--json", "layered")
	cmd.Env = append(os.Environ(), l.env...)
	out, err := cmd.Output()
	var m struct {
		Rows []struct {
			ID, Scene, Bare, Single string
			Open                    bool
			NoControl               string `json:"no_control"`
			Alone, Needed, Table    []string
		}
		Unbuilt, Unapplied map[string]string
	}
	if uerr := json.Unmarshal(out, &m); uerr != nil || err != nil {
		t.Fatalf("%v, %v\n%s", err, uerr, out)
	}
	two, worker := 0, 0
	for _, r := range m.Rows {
		if r.Scene == "worker" {
			worker++ // its jail is a little other, and no table says which layer stops what there
			if !r.Open && r.NoControl == "" && len(r.Alone) == 0 {
				t.Logf("%s, in the worker's place, fails without a jail too (%s): it proves nothing", r.ID, r.Bare)
			} else if len(r.Alone) == 0 && r.NoControl == "" && r.Single == "" {
				t.Errorf("%s, in the worker's place, is stopped by no layer", r.ID)
			}
			continue
		}
		if len(r.Alone) > 1 {
			two++
		}
		if !r.Open && r.NoControl == "" && len(r.Alone) == 0 {
			t.Errorf("%s fails without a jail too (%s): it proves nothing", r.ID, r.Bare)
		}
		for _, id := range r.Table {
			if !slices.Contains(r.Alone, id) && m.Unapplied[id] == "" {
				// How busy the machine is decides some of these.
				t.Logf("%s: the table has %s, which did not stop it alone here: %s", r.ID, id, r.Alone)
			}
		}
		if len(r.Alone) < 2 && r.Single == "" && r.NoControl == "" {
			t.Errorf("%s is stopped by %s alone, and the table does not say why", r.ID, r.Alone)
		}
	}
	if worker < 60 {
		t.Errorf("only %d attempts in the worker's place", worker)
	}
	t.Logf("%d attempts, %d stopped by two layers or more, each alone; not measured: %v", len(m.Rows), two, m.Unbuilt)
	l.nothingLeft()
}

// What takes longer than it may is ended, in a second and not in half an hour, and says where it was.
func TestAblationIsBounded(t *testing.T) {
	needCells(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root: does without all layers")
	}
	l := newLab(t)
	r := l.skep("drill", "--ablate", "--within", "3s")
	if r.code == 0 || !strings.Contains(r.err, "it took longer than 3s") || !strings.Contains(r.err, "--within allows more time") {
		t.Errorf("%s", r)
	}
	l.nothingLeft()
}
