package audit

import (
	"testing"

	"skep/internal/plan"
)

// More code than the plan's files have is something that the plan does not know.
func TestCode(t *testing.T) {
	area := func(pages uint64, mode string, file bool) linuxArea {
		return linuxArea{From: 0x1000, To: 0x1000 + pages<<12, Mode: mode, File: file}
	}
	for _, c := range []struct {
		name  string
		areas []linuxArea
		code  int64
		want  Verdict
	}{
		{"as planned", []linuxArea{area(2, "r-xp", true), area(1, "r-xp", true), area(9, "r--p", true)}, 3 << 12, Seen},
		{"translated code and the kernel's own page", []linuxArea{area(3, "r-xp", true), area(99, "r-xs", true), area(2, "r-xp", false)}, 3 << 12, Seen},
		{"one library more", []linuxArea{area(3, "r-xp", true), area(1, "r-xp", true)}, 3 << 12, Missing},
		{"unreadable", nil, 3 << 12, Unknown},
		{"a plan that does not say", []linuxArea{area(3, "r-xp", true)}, 0, ""},
	} {
		a := &linuxAudit{linuxSeen: &linuxSeen{Areas: c.areas}}
		a.plan = &plan.Plan{Resources: []plan.Resource{{Spec: &plan.Rootfs{Code: c.code, Linked: 9 << 12}}}}
		a.code()
		got := Verdict("")
		if len(a.judge.rows) > 0 {
			got = a.judge.rows[0].Verdict
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
