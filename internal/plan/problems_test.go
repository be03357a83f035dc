package plan

import (
	"errors"
	"strings"
	"testing"

	"skep/internal/fault"
	"skep/internal/host"
)

// What keeps a cell from running is said in one pass, whatever its reason, and the first gives the status.
func TestProblemsInOnePass(t *testing.T) {
	facts, err := host.Reference("linux")
	if err != nil {
		t.Fatal(err)
	}
	facts.Memory = 1 << 30
	facts.Linux.OVMF = nil
	facts.Linux.Cgroup.Parent, facts.Linux.Cgroup.Below = "/nosuch", nil
	c := parseFreeBSD(t, "big", "memory = \"64G\"\nboot = \"uefi\"\njail {\n  root = \"/jail\"\n}")
	p, problems := Make(c, facts)
	if p != nil {
		t.Error("there is a plan")
	}
	said := ""
	for _, err := range problems {
		said += err.Error() + "\n"
		var f *fault.Error
		if !errors.As(err, &f) {
			t.Errorf("%v has no status", err)
		}
	}
	for _, want := range []string{"memory", "jail.root", "/nosuch", "UEFI"} {
		if !strings.Contains(said, want) {
			t.Errorf("%s is not in:\n%s", want, said)
		}
	}
	if len(problems) != 4 || fault.CodeOf(problems.Err()) != fault.Input {
		t.Errorf("%d problems, status %d", len(problems), fault.CodeOf(problems.Err()))
	}
	var none Problems
	if none.Err() != nil {
		t.Error(none.Err())
	}
}
