package metrics

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// busy is what a host with two cells tells, one of which has ended and one been audited.
func busy(t *testing.T) string {
	t.Helper()
	m := New("1.2.3")
	use := &Use{CPU: 1.5, Memory: 1 << 20, Read: 1, Written: 2, In: 3, Out: 4}
	m.Saw([]Cell{{Name: "a", State: "running", Life: 1, Use: use}, {Name: "b", State: "stopped"}})
	m.Saw([]Cell{{Name: "a", State: "crashed", Ended: "triple-fault"}, {Name: "b", State: "running", Life: 7, Started: 90 * time.Millisecond, Use: use, Refused: 5}})
	m.Saw([]Cell{{Name: "a", State: "running", Life: 2, Started: time.Second, Use: use}, {Name: "b", State: "running", Life: 9, Ended: "whatever the guest says", Use: use}})
	m.Audited("a", Verdict{OK: false, Rows: map[string]int{"seen": 70, "extra": 1}, At: time.Unix(1e9, 0)})
	text, err := m.Text()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestText(t *testing.T) {
	text := busy(t)
	for _, line := range []string{
		`skep_build_info{version="1.2.3"} 1`,
		`skep_cells{state="running"} 2`, `skep_cells{state="stopped"} 0`, `skep_cells{state="held"} 0`,
		`skep_cell_cpu_seconds_total{cell="a"} 1.5`, `skep_cell_memory_bytes{cell="b"} 1.048576e+06`,
		`skep_starts_total 3`, // what ran before it was first looked at is no start
		`skep_ends_total{reason="triple-fault"} 1`, `skep_ends_total{reason="not-seen"} 1`,
		`skep_start_duration_seconds_count 2`, `skep_start_duration_seconds_bucket{le="0.1"} 1`,
		`skep_audit_passed{cell="a"} 0`, `skep_audit_rows{cell="a",verdict="extra"} 1`, `skep_audit_timestamp_seconds{cell="a"} 1e+09`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("there is no line %s", line)
		}
	}
	if strings.Contains(text, "whatever the guest says") {
		t.Error("a guest makes series")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestDue: each running cell has its turn, and those that have waited longest have it first.
func TestDue(t *testing.T) {
	m, now := New(""), time.Now()
	m.Saw([]Cell{{Name: "a", State: "running", Life: 1}, {Name: "b", State: "running", Life: 2}, {Name: "c", State: "stopped"}, {Name: "d", State: "running", Life: 3}})
	m.Audited("a", Verdict{At: now.Add(-time.Minute)})
	m.Audited("d", Verdict{At: now.Add(-time.Hour)})
	if got := strings.Join(m.Due(3, 5*time.Minute, now), " "); got != "b d" {
		t.Errorf("due are %s", got)
	}
	if got := strings.Join(m.Due(1, 5*time.Minute, now), " "); got != "b" {
		t.Errorf("of one %s", got)
	}
}

// TestLint: they are as the library for Go programs would have them.
func TestLint(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(busy(t))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func promtool(t *testing.T, in string, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool here: it is in Debian's package prometheus")
	}
	cmd := exec.Command(tool, args...)
	cmd.Stdin = strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("should")) {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolMetrics(t *testing.T) { promtool(t, busy(t), "check", "metrics") }

func TestPromtoolRules(t *testing.T) {
	promtool(t, "", "check", "rules", "../../docs/prometheus/skep.rules.yml")
}

// TestExamplesNameWhatThereIs: alerts and dashboard ask for metrics that are told.
func TestExamplesNameWhatThereIs(t *testing.T) {
	text := busy(t)
	for _, file := range []string{"skep.rules.yml", "dashboard.json"} {
		b, err := os.ReadFile("../../docs/prometheus/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "json") && !json.Valid(b) {
			t.Errorf("%s is no JSON", file)
		}
		names := regexp.MustCompile(`\bskep_[a-z_]+`).FindAllString(string(b), -1)
		if len(names) < 5 {
			t.Errorf("%s names %d metrics", file, len(names))
		}
		for _, name := range names {
			if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).MatchString(text) {
				t.Errorf("%s names %s, which is not told", file, name)
			}
		}
	}
}
