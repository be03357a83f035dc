package cli

import (
	"testing"

	"skep/internal/fault"
)

// What plan and up refuse of the hypervisor's arguments, check refuses as well, with its line.
func TestCheckRefusesArgs(t *testing.T) {
	dir := t.TempDir()
	args := map[string]string{"qemu": `"-snapshot", "-daemonize"`, "bhyve": `"-F", "x", "-D"`}[string(hypervisorHere)]
	file := write(t, dir+"/web.hcl", "cell \"web\" {\n  hypervisor { args = ["+args+"] }\n}\n")
	for _, verb := range []string{"check", "plan"} {
		s := skepIn(t, dir, verb, file)
		if verb == "plan" && s.code == fault.Host {
			continue // no hypervisor here
		}
		s.want(t, fault.Input, "web.hcl:2:", "to the hypervisor", "hint: ")
	}
	write(t, dir+"/web.hcl", "cell \"web\" {\n  hypervisor { args = [\"-global\", \"x.y=1\"] }\n}\n")
	skepIn(t, dir, "check", file).want(t, fault.OK)
}
