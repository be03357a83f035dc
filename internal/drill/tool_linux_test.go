package drill

import (
	"context"
	"os"
	"testing"

	"skep/internal/drill/attack"
	"skep/internal/drill/report"
	"skep/internal/host"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/jail/seccomp"
	"skep/internal/tool"
)

// An attacker in the place of a reader, or of qemu-img, makes all the attempts that one in the hypervisor's
// place makes, once the tool is about to read: none succeeds.
func TestToolsAreDrilled(t *testing.T) {
	if testing.Short() || os.Geteuid() != 0 {
		t.Skip("needs root, and some seconds")
	}
	d := emulated(t)
	err := d.set(t.Context(), func(ctx context.Context) error {
		d.harness.Bound = jail.Limit{Name: "fsize"} // a reader of nothing that it may write to
		for name, job := range map[string]tool.Job{"a reader": {Tool: tool.Reader("log")}, "qemu-img": {Tool: tool.Program("/bin/true")}} {
			spec, err := attacked(d.Facts, job, d.harness.Spec)
			if err != nil {
				return err
			}
			made := 0
			r := attack.Round{Rows: attack.All(), Paired: true,
				Enter: func(ctx context.Context, _ attack.Attempt) (*attack.Fixture, error) {
					return d.arrive(ctx, spec, report.PhaseRun)
				},
				Made: func(a attack.Attempt, v report.Verdict, how string) {
					switch v {
					case report.Escaped:
						t.Errorf("in place of %s: %s (%s): %s", name, a.ID, a.Tries, how)
					case report.Stopped:
						made++
					}
				}}
			if err := r.Run(ctx); err != nil {
				return err
			}
			t.Logf("in place of %s: %d attempts were stopped", name, made)
			if made < 100 {
				t.Errorf("only %d attempts were made", made)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// attacked is the jail of a tool with the attacker in it. What that needs to be told what to try is added to
// the calls that the tool has.
func attacked(f host.Facts, job tool.Job, attacker linuxjail.Spec) (linuxjail.Spec, error) {
	spec, err := tool.Jail(f, job)
	if err != nil {
		return spec, err
	}
	for _, call := range []string{"poll", "accept4"} {
		spec.Policy.Rows = append(spec.Policy.Rows, seccomp.Row{Call: call, Reason: "the attacker is told what to try"})
	}
	spec.Root, spec.Path, spec.Argv, spec.FDs, spec.Handed = attacker.Root, attacker.Path, attacker.Argv, attacker.FDs, nil
	spec.WithCaller = false // it goes from thread to thread
	return spec, nil
}
