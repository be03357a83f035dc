package repo

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// make help lists targets that are there, with either make.
func TestMakeHelp(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, name := range []string{"make", "bmake"} {
		program, err := exec.LookPath(name)
		if err != nil {
			t.Logf("no %s here", name)
			continue
		}
		cmd := exec.Command(program, "help")
		cmd.Dir = root
		cmd.Env = append(cmd.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s help: %v", name, err)
		}
		for _, want := range []string{"make demo", "make test", "make install", "make help"} {
			if !strings.Contains("\n"+string(out), "\n"+want+" ") {
				t.Errorf("%s help lacks %s:\n%s", name, want, out)
			}
		}
		for _, m := range regexp.MustCompile(`(?m)^make ([a-z-]+)`).FindAllStringSubmatch(string(out), -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).MatchString(makefile) {
				t.Errorf("%s help has %s, which is no target", name, m[1])
			}
		}
	}
}
