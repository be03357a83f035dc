package audit

import (
	"strconv"
	"testing"

	"skep/internal/plan"
)

// That a hypervisor ends with its keeper is a row where the plan says so.
func TestLinuxBound(t *testing.T) {
	const keeper = 4711
	for name, c := range map[string]struct {
		do   func(*linuxSeen, *plan.Jail) (recorded bool)
		want Verdict
	}{
		"as planned":          {func(*linuxSeen, *plan.Jail) bool { return true }, Recorded},
		"not planned":         {func(_ *linuxSeen, j *plan.Jail) bool { j.Bound = false; return false }, ""},
		"started without it":  {func(*linuxSeen, *plan.Jail) bool { return false }, Missing},
		"another's child":     {func(s *linuxSeen, _ *plan.Jail) bool { s.Status["PPid"] = "1"; return true }, Missing},
		"its parent not seen": {func(s *linuxSeen, _ *plan.Jail) bool { delete(s.Status, "PPid"); return true }, Unknown},
	} {
		st := linuxCell(t, "")
		st.KeeperPID = keeper
		seen := cleanLinux(t, st)
		seen.Status["PPid"] = strconv.Itoa(keeper)
		j := plan.Specs[*plan.Jail](st.Plan)[0]
		j.Bound = true
		st.Jail.Bound = c.do(seen, j)
		got := Verdict("")
		for _, r := range judgeLinux(seen, st).Rows {
			if r.ID == "bound" {
				got = r.Verdict
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A cell that is to be below a job's control group is seen to be.
func TestLinuxBelowAJob(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*linuxSeen)
		want Verdict
	}{
		"as planned":      {func(*linuxSeen) {}, Seen},
		"moved elsewhere": {func(s *linuxSeen) { s.Cgroups["v2"] = "/skep/other" }, Missing},
		"at the top":      {func(s *linuxSeen) { s.Cgroups["v2"] = "/" }, Missing},
		"cannot be read":  {func(s *linuxSeen) { delete(s.Cgroups, "v2") }, Unknown},
	} {
		st := linuxCell(t, "")
		seen := cleanLinux(t, st)
		for _, g := range plan.Specs[*plan.Cgroup](st.Plan) {
			g.Path, g.Below = "/sys/fs/cgroup/job_7/skep/web", "/sys/fs/cgroup/job_7"
			seen.Groups[g.Path] = seen.Groups["/sys/fs/cgroup"+groupPath]
		}
		seen.Cgroups["v2"] = "/job_7/skep/web"
		c.do(seen)
		got := Verdict("")
		for _, r := range judgeLinux(seen, st).Rows {
			if r.ID == "cgroup-parent" {
				got = r.Verdict
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
