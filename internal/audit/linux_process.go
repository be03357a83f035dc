package audit

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"skep/internal/jail"
)

// process is how the kernel runs it: which signals it takes, and what follows
// from them.
func (a *linuxAudit) process() {
	a.stopSignals()
	a.runs()
	a.hostName()
	a.bound()
	if a.record == nil || a.record.Standing == nil {
		for _, id := range []string{"affinity", "scheduler", "sysctls"} {
			a.info(GroupRights, id, "nobody recorded it when the guest was prepared")
		}
		return
	}
	a.scheduled(a.record.Standing)
	a.settings(a.record.Standing)
}

// runs: a hypervisor that is stopped or frozen holds its cell and does nothing.
func (a *linuxAudit) runs() {
	const id, want = "runs", "neither stopped nor frozen"
	if len(a.Threads) == 0 {
		a.add(GroupRights, id, Unknown, want, "cannot be read")
		return
	}
	var stopped []string
	for _, t := range a.Threads {
		if s := t.Status["State"]; strings.HasPrefix(s, "T") || strings.HasPrefix(s, "t") {
			stopped = append(stopped, "thread "+t.Status["Pid"]+" is stopped")
		}
	}
	if g := a.Frozen; g != "" {
		stopped = append(stopped, "its control group "+g+" is frozen")
	}
	if len(stopped) > 0 {
		a.add(GroupRights, id, Missing, want, summary(stopped))
		return
	}
	a.add(GroupRights, id, Seen, want, want)
}

// hostName: the name that its UTS namespace has.
func (a *linuxAudit) hostName() {
	const id = "host-name"
	j := a.jailSpec()
	if j == nil {
		return
	}
	want := orWords(j.Hostname, "the cell's")
	switch seen, ok := a.Standing.Settings[jail.HostName]; {
	case !ok && !a.ByRoot:
		a.info(GroupRights, id, "not read: only root can enter its UTS namespace")
	case !ok:
		a.add(GroupRights, id, Unknown, want, "cannot be read")
	default:
		a.equal(GroupRights, id, want, seen)
	}
}

// bound: what ends with its keeper is its keeper's child, and has asked the kernel for that signal, which nobody
// else can read.
func (a *linuxAudit) bound() {
	j := a.jailSpec()
	if j == nil || !j.Bound {
		return
	}
	const id, want = "bound", "the kernel ends it when its keeper ends"
	keeper := strconv.Itoa(a.state.KeeperPID)
	switch parent := a.Status["PPid"]; {
	case a.record == nil || !a.record.Bound:
		a.add(GroupRights, id, Missing, want, "it was started without that")
	case parent == "":
		a.add(GroupRights, id, Unknown, want, "cannot be read")
	case parent != keeper:
		a.add(GroupRights, id, Missing, want, "its parent is process "+parent+", its keeper "+keeper)
	default:
		a.add(GroupRights, id, Recorded, want, want)
	}
}

// scheduled: where and when its threads run, as they did.
func (a *linuxAudit) scheduled(then *jail.Standing) {
	for _, row := range []struct {
		id, want string
		of       func(linuxThread) string
	}{
		{"affinity", then.Affinity, func(t linuxThread) string { return t.Status["Cpus_allowed_list"] }},
		{"scheduler", then.Scheduler, func(t linuxThread) string { return t.Scheduler }},
	} {
		seen := ""
		for _, t := range a.Threads {
			if got := row.of(t); got != row.want || seen == "" {
				seen = got
				if got != row.want {
					seen = orWords(got, "cannot be read") + " (thread " + t.Status["Pid"] + ")"
					break
				}
			}
		}
		a.equal(GroupRights, row.id, row.want, seen)
	}
}

// settings: the sysctls of its namespaces, as they were.
func (a *linuxAudit) settings(then *jail.Standing) {
	const id, want = "sysctls", "those of its network, IPC and UTS namespaces as they were when the guest was prepared"
	if then.Settings == nil {
		a.info(GroupRights, id, "not read: only root can enter its namespaces")
		return
	}
	if a.Standing.Settings == nil {
		a.add(GroupRights, id, Unknown, want, "cannot be read")
		return
	}
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(then.Settings)) {
		if was, now := then.Settings[name], a.Standing.Settings[name]; was != now && name != jail.HostName {
			changed = append(changed, strings.ReplaceAll(name, "/", ".")+" is "+orWords(now, "gone")+" and was "+was)
		}
	}
	if len(changed) > 0 {
		a.add(GroupRights, id, Missing, want, summary(changed))
		return
	}
	a.add(GroupRights, id, Seen, want, counted(len(then.Settings), "setting")+" as they were")
}

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
	for _, t := range a.Threads {
		blocked, err := strconv.ParseUint(t.Status["SigBlk"], 16, 64)
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
	case len(a.Threads) == 0:
		a.add(GroupRights, id, Unknown, want, "cannot be read")
	case len(takes) > 0:
		a.add(GroupRights, id, Missing, want, "it takes "+strings.Join(takes, ", "))
	default:
		a.add(GroupRights, id, Seen, want, want)
	}
}
