package plan

import (
	"strings"
	"testing"

	"skep/internal/cell"
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
			p, err := Make(cell.Hello(), facts)
			if err != nil {
				t.Fatal(err)
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
