package audit

import (
	"slices"
	"strconv"
	"strings"

	"skep/internal/jail"
)

// process is how the kernel runs it: which signals it takes, and what follows
// from them.
func (a *linuxAudit) process() { a.stopSignals() }

// stopSignals: what is sent to a whole group at once is the keeper's to obey. A
// guest that an older skep has started takes them, and goes on as it was
// started.
func (a *linuxAudit) stopSignals() {
	const id, want = "stop-signals", "blocked: HUP, INT, TERM and QUIT to a whole group are the keeper's to obey"
	if a.record == nil || !a.record.MasksSignals {
		a.info(GroupRights, id, "not blocked when it was started")
		return
	}
	var takes []string
	for _, t := range a.threads {
		blocked, err := strconv.ParseUint(t.status["SigBlk"], 16, 64)
		if err != nil {
			a.add(GroupRights, id, Unknown, want, "cannot be read")
			return
		}
		for _, s := range jail.StopSignals {
			if blocked&s.Bit() == 0 && !slices.Contains(takes, s.Name) {
				takes = append(takes, s.Name)
			}
		}
	}
	switch {
	case len(a.threads) == 0:
		a.add(GroupRights, id, Unknown, want, "cannot be read")
	case len(takes) > 0:
		a.add(GroupRights, id, Missing, want, "it takes "+strings.Join(takes, ", "))
	default:
		a.add(GroupRights, id, Seen, want, want)
	}
}
