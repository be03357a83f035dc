package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
)

// auditReport is what programs read of an audit.
type auditReport struct {
	Version int  `json:"version"`
	OK      bool `json:"ok"`
	Rows    []struct{ ID, Want, Seen, Verdict string }
}

// audit audits a cell, or what flags name, and wants a status.
func (l *lab) audit(want int, args ...string) auditReport {
	l.t.Helper()
	r := l.skep(append([]string{"audit", "--json"}, args...)...)
	var rep auditReport
	if err := json.Unmarshal([]byte(r.out), &rep); err != nil {
		l.t.Fatalf("audit --json: %v\n%s", err, r)
	}
	if r.code != want {
		var bad []string
		for _, row := range rep.Rows {
			if row.Verdict != "seen" && row.Verdict != "recorded" {
				bad = append(bad, fmt.Sprintf("%s is %s: %s", row.ID, row.Verdict, row.Seen))
			}
		}
		l.t.Fatalf("audit ended with %d, want %d: %s", r.code, want, strings.Join(bad, "; "))
	}
	if rep.Version != 1 || rep.OK != (want == 0) {
		l.t.Errorf("version %d, ok %v", rep.Version, rep.OK)
	}
	return rep
}

// verdict is that of one row.
func (r auditReport) verdict(id string) string {
	for _, row := range r.Rows {
		if row.ID == id {
			return row.Verdict
		}
	}
	return "no such row"
}

// seen is what was seen of one row.
func (r auditReport) seen(id string) string {
	for _, row := range r.Rows {
		if row.ID == id {
			return row.Seen
		}
	}
	return ""
}
