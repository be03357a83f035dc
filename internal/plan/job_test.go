package plan

import (
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
)

// A hypervisor that ends with its keeper does so by its plan, on both systems; no other does.
func TestBound(t *testing.T) {
	for _, os := range []string{"linux", "freebsd"} {
		for _, job := range []*host.Job{nil, {System: "slurm", ID: "7"}, {Bound: true}} {
			facts, err := host.Reference(os)
			if err != nil {
				t.Fatal(err)
			}
			facts.Job = job
			p, problems := Make(cell.Hello(), facts)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			bound := false
			for _, j := range Specs[*Jail](p) {
				bound = bound || j.Bound
			}
			for _, b := range Specs[*Bhyve](p) {
				bound = bound || b.Bound
			}
			said, commands := false, text(p)
			for _, r := range p.Resources {
				said = said || strings.Contains(r.Why, "ends with its keeper")
			}
			want := job != nil && job.Bound
			if bound != want || said != want || strings.Contains(strings.ToLower(commands), "pdeathsig") != want {
				t.Errorf("%s, %+v: bound %v, said %v\n%s", os, job, bound, said, commands)
			}
		}
	}
}

// A cell that asks for more than its job has is refused at the line, all of it in one pass.
func TestMoreThanTheJob(t *testing.T) {
	_, _, err := planLinux(t, "large", "memory = \"2G\"\ncpus = 4", func(f *host.Facts) {
		f.Job = &host.Job{System: "slurm", CPUs: 2, Memory: 1 << 30}
	})
	if err == nil || fault.CodeOf(err) != fault.Input {
		t.Fatalf("not refused: %v", err)
	}
	all := ""
	for _, e := range fault.ListOf(err) {
		all += e.Error() + "\n"
	}
	for _, want := range []string{"its job has only 1G", "its job has only 2", "large.hcl:2", "large.hcl:3"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not said: %s", want, all)
		}
	}
	if _, _, err := planLinux(t, "fits", "memory = \"512M\"", func(f *host.Facts) {
		f.Job, f.Linux.Cgroup.Limit = &host.Job{CPUs: 1, Memory: 1 << 30}, 600<<20
	}); err == nil || !strings.Contains(err.Error(), "its job has only 600M") {
		t.Errorf("its control group leaves less than the job says: %v", err)
	}
}

// belowAJob is a host on which a cell runs for a job, in the v2 tree.
func belowAJob(f *host.Facts) {
	f.Linux.Cgroup = host.Cgroup{Mode: host.CgroupV2, V2: "/cg/job/skep", Own: "/cg/job/skep-own", Parent: host.CgroupAuto,
		Below: []string{"/cg/job"}, Controllers: host.Controllers}
}

// Below a job's groups, and with skep out of the way where the tree wants that.
func TestBelowAJob(t *testing.T) {
	p, _, err := planLinux(t, "below", "", belowAJob)
	if err != nil {
		t.Fatal(err)
	}
	own, groups := Specs[*OwnCgroup](p), Specs[*Cgroup](p)
	if len(own) != 1 || own[0].Path != "/cg/job/skep-own" || own[0].Parent != "/cg/job" {
		t.Errorf("%+v", own)
	}
	if len(groups) != 1 || groups[0].Below != "/cg/job" || !strings.HasPrefix(groups[0].Path, "/cg/job/skep/") || len(groups[0].Limits) == 0 {
		t.Errorf("%+v", groups[0])
	}
	if _, _, err := planLinux(t, "none", "", func(f *host.Facts) { f.Linux.Cgroup.Parent = "/none" }); fault.CodeOf(err) != fault.Input {
		t.Errorf("a group that is not there: %v", err)
	}
}
