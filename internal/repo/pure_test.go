package repo

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pure are the packages that touch no machine. All that they depend on is looked at, on both systems: a
// probe behind three imports is a probe. What fmt itself has (os, syscall) cannot be kept out.
var pure = []string{"cell", "host", "plan", "lifecycle", "hypervisor", "devfs", "jailparam", "layer", "layout", "address"}

// impure is what none of them may have, and why.
var impure = map[string]string{
	"os/exec":                        "it runs programs",
	"net":                            "it opens sockets and looks names up; package address reads addresses",
	"os/user":                        "it reads accounts",
	"golang.org/x/sys/unix":          "it makes system calls",
	"skep/internal/probe":            "it looks at this machine",
	"skep/internal/process":          "it looks at this machine",
	"skep/internal/jail":             "it holds what a machine did",
	"skep/internal/jail/linuxjail":   "it is one machine's",
	"skep/internal/jail/freebsdjail": "it is one machine's",
	"skep/internal/qmp":              "it speaks with a live hypervisor",
	"skep/internal/elf":              "it reads files",
}

func TestPurePackages(t *testing.T) {
	for _, system := range []string{"linux", "freebsd"} {
		for _, p := range pure {
			cmd := exec.Command("go", "list", "-deps", "skep/internal/"+p)
			cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("go list -deps %s on %s: %v", p, system, err)
			}
			deps := strings.Fields(string(out))
			for name, why := range impure {
				if slices.Contains(deps, name) {
					t.Errorf("internal/%s depends on %s on %s, and it is to be pure: %s", p, name, system, why)
				}
			}
		}
	}
}
