package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// An attacker in the built-in guest's cell gets nowhere; clean compares the host before and after.
func TestDrillOnFreeBSD(t *testing.T) {
	l := clean(t)
	r := l.must(0, "drill", "--json")
	var d struct {
		Version, Attempts, Stopped, Escaped int
		Rows                                []struct {
			ID, Verdict, How, Phase string
			Want                    []string
		}
	}
	if err := json.Unmarshal([]byte(r.out), &d); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	for _, row := range d.Rows {
		if row.Verdict == "escaped" {
			t.Errorf("%s (%s) got out: %s", row.ID, row.Phase, row.How)
		}
		if row.Verdict == "stopped" && !strings.Contains(" "+strings.Join(row.Want, " ")+" ", " "+row.How+" ") {
			t.Errorf("%s (%s) is stopped by %s, the table has %s", row.ID, row.Phase, row.How, row.Want)
		}
	}
	if d.Version != 1 || d.Attempts < 60 || d.Attempts != d.Stopped || d.Escaped != 0 {
		t.Errorf("version %d: %d attempts, %d stopped, %d escaped", d.Version, d.Attempts, d.Stopped, d.Escaped)
	}
}

// Which layer stops what is not measured here; that is said, and is no success.
func TestAblateIsRefusedOnFreeBSD(t *testing.T) {
	l := clean(t)
	r := l.skep("drill", "--ablate")
	if r.code == 0 || !strings.Contains(r.err, "skep: error: cannot ") {
		t.Errorf("%s", r)
	}
}
