package audit

import (
	"fmt"
	"strings"

	"skep/internal/plan"
)

// code: how much of files is mapped to be executed, which is what whoever takes the hypervisor over has to work with.
// More than the plan's files have is a program or a library that the plan does not know.
func (a *linuxAudit) code() {
	var seen int64
	for _, m := range a.Areas {
		// What is shared is what TCG has translated.
		if m.File && strings.Contains(m.Mode, "x") && strings.HasSuffix(m.Mode, "p") {
			seen += int64(m.To - m.From)
		}
	}
	if a.plan == nil {
		return
	}
	for _, r := range plan.Specs[*plan.Rootfs](a.plan) {
		if r.Code == 0 {
			continue
		}
		want := fmt.Sprintf("at most %s of code, of %s that QEMU has linked", mib(r.Code), mib(r.Linked))
		a.yes(GroupPlace, "code", want, seen <= r.Code, seen > 0, orNot(seen == 0, mib(seen)))
	}
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
