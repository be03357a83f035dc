package drill

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/drill/bait"
	"skep/internal/drill/report"
	"skep/internal/host"
	"skep/internal/probe"
)

// TestPeers: the attempts that a cell stops succeed elsewhere, and nothing of it is left. The subjects
// are those that take least time; a machine without bubblewrap says so in its place.
func TestPeers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a throwaway host")
	}
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	if _, ok := bait.Attackers[runtime.GOARCH]; !ok {
		t.Skip("no attacker for this architecture")
	}
	facts, err := probe.Probe(t.Context(), probe.Options{})
	if err == nil {
		err = host.Ready(cell.Hello(), facts)
	}
	if err != nil {
		t.Skip("this host runs no cell: ", err)
	}
	program := filepath.Join(t.TempDir(), "peers")
	if out, err := exec.Command("go", "build", "-o", program, "./peers").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, "-json", "-subjects", "plain-user bwrap")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var c report.Comparison
	if err := json.Unmarshal(out, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Subjects) != 3 {
		t.Fatalf("%d subjects", len(c.Subjects))
	}
	ours, plain, bwrap := c.Subjects[0], c.Subjects[1], c.Subjects[2]
	if ours.Absent != "" || ours.Escaped != 0 || ours.Stopped < 60 {
		t.Errorf("%+v", ours)
	}
	if plain.Absent != "" || plain.Escaped < 50 || plain.Stopped == 0 {
		t.Errorf("%+v", plain)
	}
	if bwrap.Absent == "" && (bwrap.Escaped == 0 || bwrap.Escaped >= plain.Escaped) {
		t.Errorf("%+v", bwrap)
	}
	for _, r := range c.Rows {
		for i, s := range c.Subjects {
			if s.Absent == "" && r.Results[i].Verdict == "" {
				t.Errorf("%s was not tried in %s", r.ID, s.Name)
			}
		}
	}
	if left, _ := filepath.Glob("/var/lib/skep-peers*"); len(left) > 0 {
		t.Errorf("left: %s", left)
	}
	for _, p := range processesNamed(t, "peer-plain-user/attacker") {
		t.Errorf("process %s is left", p)
	}
}

// processesNamed are those whose first argument ends so.
func processesNamed(t *testing.T, suffix string) (pids []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if first, _, _ := strings.Cut(string(b), "\x00"); strings.HasSuffix(first, suffix) {
			pids = append(pids, strings.Split(f, "/")[2])
		}
	}
	return pids
}
