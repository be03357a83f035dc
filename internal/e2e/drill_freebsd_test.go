package e2e

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An attacker in the built-in guest's cell gets nowhere; clean compares the host before and after.
func TestDrillOnFreeBSD(t *testing.T) {
	l := clean(t)
	r := l.must(0, "drill", "--json")
	var d struct {
		Version, Attempts, Stopped, Escaped int
		Scenes                              []struct {
			Name                       string
			Attempts, Stopped, Escaped int
		}
		Rows []struct {
			ID, Verdict, How, Phase, Scene string
			Want                           []string
		}
	}
	if err := json.Unmarshal([]byte(r.out), &d); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	protocol := 0
	for _, row := range d.Rows {
		if row.Verdict == "escaped" {
			t.Errorf("%s (%s, %s) got out: %s", row.ID, row.Scene, row.Phase, row.How)
		}
		if row.Verdict == "stopped" && !slices.Contains(row.Want, row.How) {
			t.Errorf("%s (%s, %s) is stopped by %s, the table has %s", row.ID, row.Scene, row.Phase, row.How, row.Want)
		}
		if strings.HasPrefix(row.ID, "proto-") && row.Verdict == "stopped" {
			protocol++
		}
	}
	if len(d.Scenes) != 2 || d.Scenes[1].Name != "worker" || d.Scenes[1].Attempts < 60 || protocol < 20 {
		t.Errorf("scenes: %+v; %d against the protocol", d.Scenes, protocol)
	}
	if d.Version != 1 || d.Attempts < 60 || d.Attempts != d.Stopped || d.Escaped != 0 {
		t.Errorf("version %d: %d attempts, %d stopped, %d escaped", d.Version, d.Attempts, d.Stopped, d.Escaped)
	}
}

// With one layer missing, or that and capability mode, attempts are let out; which layers were seen to
// stop one is what the table says, every layer stops something, and nothing is left on the host.
func TestAblationOnFreeBSD(t *testing.T) {
	if os.Getenv("SKEP_TEST_ABLATE") == "" {
		t.Skip("takes an hour or two where the machine is emulated; SKEP_TEST_ABLATE=1 runs it")
	}
	l := clean(t)
	ctx, cancel := context.WithTimeout(t.Context(), 190*time.Minute) // of a machine that hangs, not of a slow one
	defer cancel()
	cmd := l.command(ctx, "drill", "--ablate", "--within", "180m", "--json")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	var m struct {
		Rows []struct {
			ID, Scene, Single    string
			NoControl            string `json:"no_control"`
			Alone, Needed, Table []string
		}
		Unbuilt, Unapplied map[string]string
	}
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	proven := 0
	for _, row := range m.Rows {
		if len(row.Alone) > 0 {
			proven++
		}
		if row.Scene == "worker" && row.ID != "" && !strings.HasPrefix(row.ID, "handed-") {
			continue // its jail is another, and the table is of bhyve's
		}
		for _, id := range row.Alone {
			if !slices.Contains(row.Table, id) {
				t.Errorf("%s: %s was seen to stop it, and the table has %s", row.ID, id, row.Table)
			}
		}
		if len(row.Needed) > 0 && row.Single == "" {
			t.Errorf("%s is let out where %s is missing, and the table does not say why", row.ID, row.Needed)
		}
	}
	if len(m.Unbuilt) > 0 || proven < 2*len(m.Rows)/3 {
		t.Errorf("%d of %d attempts were seen to be stopped by a layer; not measured: %v", proven, len(m.Rows), m.Unbuilt)
	}
}
