package plan

import (
	"errors"
	"fmt"
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

// An ordinary user's own cell gives nobody access: what keeps it is in directories that are closed to others.
func TestAccessIsRoots(t *testing.T) {
	c := parseFreeBSD(t, "shared", "memory = \"64M\"\naccess {\n  users = [\"1001\"]\n  may = [\"read\"]\n}")
	for _, system := range []string{"linux", "freebsd"} {
		for uid, want := range map[int]string{0: "", 1000: "cannot give others access to shared: what an ordinary user keeps"} {
			facts, err := host.Reference(system)
			if err != nil {
				t.Fatal(err)
			}
			facts.EUID = uid
			_, problems := Make(c, facts)
			err = problems.Err()
			if uid == 0 && err != nil {
				t.Errorf("%s, root: %v", system, err)
			}
			if uid == 0 {
				continue
			}
			at := new(fault.At)
			if fault.CodeOf(err) != fault.Input || !strings.Contains(fmt.Sprint(err), want) || !errors.As(err, &at) || at.Place == "" {
				t.Errorf("%s: %v", system, err)
			}
		}
	}
}
