package audit

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"skep/internal/plan"
)

// infinity is RLIM_INFINITY: of sys/sys/resource.h on FreeBSD, and below Linux's.
const infinity = 1<<63 - 1

func limitText(n uint64) string {
	if n >= infinity {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

// limitsText are a soft and a hard limit.
func limitsText(l [2]uint64) string {
	if l[0] == l[1] {
		return limitText(l[0])
	}
	return limitText(l[0]) + " soft, " + limitText(l[1]) + " hard"
}

// kept compares the resource limits that the plan does not name with what the
// keeper saw of them when the guest was prepared. How large a file may become
// follows from the cell's disks and logs and has a row of its own.
func (j *judge) kept(planned []plan.Rlimit, then, now map[string][2]uint64) {
	const want = "the others as they were when the guest was prepared"
	if len(then) == 0 {
		j.add(GroupLimits, "rlimits", Unknown, want, "nobody recorded them then")
		return
	}
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(then)) {
		if slices.ContainsFunc(planned, func(l plan.Rlimit) bool { return l.Name == name }) {
			continue
		}
		got, ok := now[name]
		if name == "fsize" {
			j.yes(GroupLimits, "rlimit-fsize", limitsText(then[name]), got == then[name], ok, orNot(!ok, limitsText(got)))
		} else if got != then[name] {
			changed = append(changed, fmt.Sprintf("%s is %s and was %s", name, limitsText(got), limitsText(then[name])))
		}
	}
	if len(changed) > 0 {
		j.add(GroupLimits, "rlimits", Missing, want, summary(changed))
	} else {
		j.add(GroupLimits, "rlimits", Seen, want, want)
	}
}
